// Package sandbox is the finoOS API as a program: a simulator with seeded,
// believable German bank data, the documented behaviour, and misbehaviour by
// option. It is written from the document alone and shares no code with the
// client, so that a misreading in one does not hide in the other.
package sandbox
