package finoos

import "iter"

// List is the records of one answer, complete and spooled.
type List[T any] struct{}

func (l *List[T]) All() iter.Seq2[T, error] { panic("todo") }

func (l *List[T]) Bytes() int64 { panic("todo") }

func (l *List[T]) Spilled() bool { panic("todo") }

func (l *List[T]) Close() error { panic("todo") }
