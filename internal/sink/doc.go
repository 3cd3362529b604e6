// Package sink is what a run leaves behind: Parquet files in tables, and the
// commit log that says which of them are true and how far each user has been
// read. It knows nothing of the API that the rows come from.
//
// Its files are the protocol: write_* is what a commit does, from a batch to the
// published record; log_* the records, and what becomes of a dead run's; lease_* who
// may work; read_* how state is found again; backfill_* and verify_* what they say.
// What is written lives below it:
//
//	sink ──► table ────► parquet   rows of the lake's tables, masked
//	  └────► cursors ──► parquet   what is remembered of each stream
//	  └────► attempts              what is about to be done that must not be done twice
//	  └────► seal                  small objects say themselves whether they are whole
//	  └────► selftest              whether the store keeps what all this is built on
//	  └────► bucket                the store
//
// # A commit
//
// Rows and the cursors that say how far they reach become true together, in
// one conditional write of one small object:
//
//	Add ──► rows ──► table files ──► parts of pending uploads ─┐ nobody sees them
//	    └─► cursors ───────────────► cursor object ────────────┤ nobody reads it
//	                                                           │
//	Commit:  staging/<run>.json   names all keys before ───────┤
//	         log/<next>.json      names all of them, If-None-Match ◄── the commit
//	         complete the uploads, pulls last                  │ rows appear
//	         log/<next>.published      If-None-Match: the mark ▼ loaders may go on
//
// A run is [Open], any number of [Writer.Add] and [Writer.Commit], and
// [Writer.Close]. Reading back what was committed is [ReadLog],
// [Writer.Users] and [Writer.Cursors].
//
// # Invariants
//
// What must hold, else data is lost or doubled:
//
//  1. A file is visible only if a record names it, and stays so only if the
//     record's mark does not say that it was taken back.
//     TestRowsAreVisibleWhenTheCommitIs; every test, by the police;
//     TestWhoPublishesWhatWasTakenBackRemovesItAndStops.
//  2. A record is written only under a number where none stands, and a number
//     is given up only when another record stands there: not when a write
//     fails, is refused, or cannot be read back.
//     TestAnAmbiguousAnswerIsSettledByReadingBack,
//     TestANumberIsNeverGivenUpWhileNobodyElseHasIt.
//  3. A run commits only if no other has spoken for its users since the record
//     that it builds upon. TestOfTwoRunsFromOneBaseOneCommits.
//  4. Batches are never cut: neither by a commit, nor by a failure half way.
//     TestACommitNeverCutsABatch, TestABatchThatWasCutIsNeverCommitted.
//  5. What a record names is never aborted or deleted, unless its mark was read
//     and says that a void takes the record back. The mark is written once: who
//     publishes and who takes back claim the same object, and what it says wins
//     over any void. TestACrashAtAnyWriteLosesAndDoublesNothing, by the police;
//     TestAVoidThatComesTooLateDeletesNothing.
//  6. Before uploads of a run that is taken for dead are aborted, a fence is in
//     the log, and all records before it have been looked at.
//     TestAFenceStopsASleeperThoughNothingElseWasCommitted,
//     TestWhatASleeperCommitsBeforeItsFenceIsKept,
//     TestARecordThatComesTooLateFindsTheFence.
//  7. A run that does not know whether its record stands leaves everything as
//     it is. TestARecordThatComesTooLateFindsTheFence.
//  8. Cursors are those of the newest record that names them, and a void
//     erases those of the record that it takes back, whatever came later; all
//     of the record's buckets where it cannot be told any more which these are.
//     What is erased keeps the last instant that was written.
//     TestACommitWhoseUploadIsGoneIsTakenBackAndPulledAgain,
//     TestAVoidOfARecordThatACheckpointCoversHeals,
//     TestWhatIsErasedIsPulledLaterThanEver.
//  9. A checkpoint says the same as the records that it covers, and covers only
//     those whose mark was read and says that they are published, or taken back
//     by a record that it covers as well. TestCheckpointsChangeNothingThatIsRead,
//     TestACheckpointCoversNoRecordThatIsTakenBackBesideIt.
//  10. A cursor object is deleted only when two newer checkpoints cover it for
//     all its users, and a void that takes its record back, and no living run
//     reads from before. TestOldCursorsAreSweptButTheLastTwoCheckpointsStay,
//     TestNothingIsSweptThatALivingRunMayRead,
//     TestABackfillReadsWhatItBeganWithHoweverManyCheckpointsCome.
//  11. Nothing is written to a store that does not keep its promises, or from
//     another source than before. TestAStoreThatLiesIsFoundOut,
//     TestAJobPointedElsewhereIsRefusedBeforeItWritesData.
//  12. The progress of a backfill is that of its records, and becomes true with
//     the rows that it speaks of. TestACrashAtAnyWriteLosesAndDoublesNothing,
//     TestWithoutItsLedgerABackfillKnowsTheSame,
//     TestABackfillThatIsTakenBackIsDoneAgainAndItsMarksStay.
//  13. A mark stays until a full pull is committed by a run that has seen it.
//     TestABackfillMarksItsStreamsUntilAFullPullBeginsAfterIt,
//     TestMarksOutliveCheckpointsAndGoWithThemWhenSettled.
//  14. A lake is of one schema: nothing is written to one of another, nor
//     believed that a checkpoint tells of one that has lost its log.
//     TestALakeOfAnotherSchemaIsRefusedBeforeAnythingIsWritten,
//     TestAJobDoesNotBeginBesideALakeOfAnotherSchema,
//     TestNothingIsCommittedOnTopOfAnotherSchema,
//     TestCheckpointsBeyondTheLogAreNotBelieved.
//  15. What an object in the bucket names is read, written or deleted only if keys.go
//     makes that key for the job, run and shard that the object is of.
//     TestAForgedObjectDoesNothingThatItsWriterCouldNot.
//  16. What is read is what was written: of an object that is damaged, or another's,
//     nothing is believed, and a log that was longer is not gone on with.
//     TestEveryDamageOfALakeIsFoundAndNoneIsSilentlyWrong,
//     TestLossesAreToldAndNeverGoOnSilently, TestASealedFileIsNeverReadWrong.
//
// What should hold, else somebody has to clear up:
//
//  1. A key is staged before an upload or a cursor object is begun there, also
//     by a run that has slept past its lease. By the police;
//     TestASleeperThatWakesAndDiesIsSweptUpAgain.
//  2. One run at a time works on a shard, as the lease has it. It saves work;
//     safety does not rest on it. TestALeaseThatIsRenewedIsNotTakenOver.
//  3. A run touches nothing of other jobs, and nothing that living runs have
//     staged. TestRecoveryTouchesNothingOfAnotherJob,
//     TestALivingShardsUploadsAreNotSwept.
//  4. No upload is swept by its own run while a part of it is on its way.
//     TestNoPartIsOnItsWayWhenItsUploadIsSwept.
//  5. What should be gone is gone after the next run at the latest.
//     TestACrashAtAnyWriteLosesAndDoublesNothing.
//
// # Failures and recovery
//
// Every start does what the runs before it would have done next, with the
// code of a commit and of Close (log_recover.go):
//
//	found                                        done
//	a record without .published                  its uploads are completed, it is marked
//	such a record, an upload gone for good,      nothing while its run lives; else a void takes
//	or damaged                                   it back: its cursors are erased, its mark is
//	                                             claimed, then its files are deleted
//	a mark that says so                          the files are deleted once more
//	a staging record whose run has no lease      a fence, then: uploads that no record names
//	                                             are aborted, such cursor objects deleted
//	an object of a self-test, likewise           deleted, with its upload
//	attempts of a run that has ended             the caller makes rows and cursors of them
//	                                             (AttemptsLeft), and they go with that commit
//
// What cannot be a run's own writing is [ErrForged], and names the object: nobody guesses
// what was meant (keys_check.go). Objects that are read as a whole are bounded by kind,
// before they are read and in what they unpack to (read_small.go); nothing is written that
// could not be read again.
//
// The answer to any write may be lost. A conditional write is read back and
// recognised by a nonce, a completion by the token that the object carries; all
// other writes may simply be repeated.
//
// A lease has ended when it has expired, or when its holder is a process of this
// machine that certainly has (package process). What is done then is the same, and
// right also for a holder that was taken for dead and is not: it meets the fence.
//
// Shards share the log and run side by side. Records of other shards are read,
// published if their owners have not done so, and otherwise passed over. Who
// clears up after a dead run is whoever has its users now.
//
// # Backfills
//
// A backfill commits as a run does, with the lease and the name of its own: it
// and nightly runs never overtake each other. In place of cursors it has
// [Progress], which is written to the cursor object of its commit under names
// that no stream has. The same rows are its memory, and marks for nightly runs
// (backfill_marks.go). Nobody sweeps these objects away. What a backfill is to bring, and
// that it has come to its end, are small objects beside the log (backfill.go).
//
// # State
//
// Cursors are read by merging, user by user, what stands of a bucket of users in
// its newest checkpoint and in the cursor objects of all later records
// (read_merge.go, package cursors). A run reads the state as it was at Open, whatever it commits itself.
//
// What a job remembers beside cursors are small objects, one a purpose (state.go).
// They are written after a commit, conditionally, by merging into what stands. A
// run that dies between the two loses nothing but what it would have remembered:
// TestACrashAtAnyWriteLosesAndDoublesNothing.
//
// # What is believed
//
// Everything says by what it is known:
//
//	record         ends with a sum over its key and content, and has that of the record
//	               before it: none can be replaced without the next one telling
//	mark           has the sum of its record: so the newest one is known, too
//	cursor object  its record has size, checksum and number of cursors; it is fetched
//	               whole, and nothing of it is believed before it was compared
//	checkpoint     a sum of each column of each row group, which ranged reads are
//	               compared with; its key, and the sum of the last record that it covers
//	small objects  a sum over key and content, each
//
// Whoever can write to the bucket can make sums, too: they tell damage and mistakes.
// Objects of earlier versions have none, and are read without.
//
// A log that has lost its last records looks like a shorter one. So a start looks for what
// knows of more (log_tail.go): checkpoints, state, staging records, cursor objects that
// came after the newest record and that nobody names, and what a dead run has made visible.
//
// # Memory
//
// It does not depend on the number of users: of each object of cursors one piece
// of a mebibyte or a row group is held, of cursors to be committed as much as the caller allows, of rows what
// all tables share (write_memory.go), and one part of an upload.
package sink
