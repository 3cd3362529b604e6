// Package cursors is what is remembered from one run to the next: for each stream of each
// user a [Cursor], the files that cursors lie in, and the spool in which they are looked
// up. Which of these files count, and what a later one changes, is for the commit log
// that names them: the package sink merges what is read here.
//
//	users ──► BucketOf ──► 256 buckets ──► Shard.Owns: who works on them
//
//	Encode, Write ──► cursor file: row groups, sorted by bucket, user, stream
//	                    │
//	                    ├──► Open, File.Bucket   in place: a checkpoint is read once
//	                    └──► Spool.Bucket        by way of the disk: the object of a commit
//	                                             has a little of every bucket
//
// # The file
//
// Cursors are sorted, and row groups end where a bucket does as soon as they are worth a
// request: the statistics of the column bucket say which of them hold one (file.go,
// read.go). Columns are found by name, and are only ever added (columns.go). What cursors
// are found by stands first, so that listing users reads no states.
//
// A file that a run writes is sealed, and says where it belongs ([About]): what is read of
// it is compared with sums in its footer, range by range (package parquet). The object of a
// commit is named by a record with its size, checksum and number of cursors ([Object]): it
// is fetched whole, and compared before any of it is believed (object.go).
//
// # The spool
//
// It takes each object apart once, into one local file without a name (spool.go). Its
// format is nobody's but this process's (spool_format.go).
//
// # What may fail
//
// The store, the local disk, and files that are damaged or forged: those are
// parquet.ErrCorrupt, or [ErrUserID]. Cursors that come in the wrong order are refused, not
// sorted: a file out of order would hide users. What was read before an error may be used.
// An object that is not the one its record names is [ErrDamaged].
//
// # Memory
//
// One row group of each file that is read, a mebibyte of each object that is fetched, and
// of the spool one step; where the parts lie is a few kilobytes an object. A row group is no larger than the writer makes it, which is
// cut at a size, and has one cursor more, of at most [MaxState]: whatever says that it holds
// more is damage (groupLimits).
package cursors
