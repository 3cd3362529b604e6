// Package parquet writes rows of any type into Parquet files and reads columns of
// them back. It knows columns and pages, and nothing of tables, commits or the store
// that files go to. It alone imports Arrow.
//
// # Writing
//
// A row's type is described once by its fields; each file makes buffers of them:
//
//	[]Field[R] ──► New ──► Rows[R].Add ──► buffers, a column each
//	                         │ Hook          │ Flush: side by side
//	                         ▼               ▼
//	                  changed or null     pages, compressed ──► row group ──► io.Writer
//	                                                   Close: footer ──────►
//
// Rows are copied when they are added, column by column (field.go, rows.go), into
// buffers that hold them nearly as the file will (buffers.go, text.go, dictionary.go):
// texts that repeat are held once, with a number for each row. How much they hold is
// counted all along; the caller says when it is enough for a row group, which is then
// encoded by several goroutines (file.go), of which each column's pages are kept until
// it is their turn (chunk.go, page.go). The library writes page headers and the footer;
// values, levels and pages are encoded here (encode.go), in a fraction of its time and
// memory.
//
// What a file holds depends on the rows, their order, the row groups and the options
// alone: the same calls write the same bytes, whatever runs beside them.
//
// # Reading
//
// [Open] reads a footer through a [Source], which makes one request for each range that
// is wanted; a [Group] is then read column by column, by name. A column that a file lacks
// is null: columns may be added to a format, never changed. Read is what this package has
// written, now or by way of the library in earlier versions, and what is no list.
//
// A file lies where others may write. Footers, page headers, levels and values are read
// here (thrift.go, footer.go, decode.go, read_column.go) and not by the library: that
// makes room for whatever a number in the file says, unpacks a page to whatever it
// unpacks to, and goes on for ever with levels that end early. Here every number is held
// against the bytes that there are, and against what a row group of its writer may hold
// ([Limits]), before room is made: TestASmallFileTakesLittleMemoryWhateverItSays.
//
// # What may fail
//
// Writing: the writer that the file goes to, whose first error Flush, Shed and Close
// return, and after which the file is of no use; an unknown compression. Reading: the
// place that the file lies in, and what is wrong with the file, which is [ErrCorrupt]. A
// value that was changed without harm to the format is not noticed, unless the file is
// sealed (seal.go): then its footer has a SHA-256 of each column of each row group, and one
// of itself, and what is fetched is compared with them. Of other files checksums are kept
// by who names them.
//
// # Memory
//
// Of a file its buffers, which stay for the next row group unless [File.Shed] gives them
// back; while a row group is written, that once more in its compressed form, and a few
// pages for each of at most four goroutines. Of a file that is read the columns at hand of
// one row group, as they lie there, a page and a dictionary, and what the caller keeps, of
// which texts are counted ([Group.Keep]). Blocks of text and working memory are
// pooled: many files are open, few at work.
package parquet
