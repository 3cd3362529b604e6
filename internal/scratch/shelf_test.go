package scratch

import (
	"bytes"
	"fmt"
	"testing"
)

func TestAPieceComesBackAsItWasLaidDown(t *testing.T) {
	t.Parallel()
	s := &Shelf{Dir: t.TempDir()}
	defer s.Close()
	var places []Place
	piece := func(i int) []byte { return bytes.Repeat([]byte(fmt.Sprint(i, " ")), 1+i%700) }
	for i := range 5000 {
		at, err := s.Put(piece(i))
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, at)
		if i%3 == 2 { // not the one that came last
			if got, err := s.Take(places[i-1]); err != nil || !bytes.Equal(got, piece(i-1)) {
				t.Fatalf("piece %d: %d bytes, %v", i-1, len(got), err)
			}
		}
	}
	for i, at := range places {
		if i%3 == 1 && i < 4999 {
			continue
		}
		if got, err := s.Take(at); err != nil || !bytes.Equal(got, piece(i)) || at.Size() != int64(len(got)) {
			t.Fatalf("piece %d: %d bytes, %v", i, len(got), err)
		}
	}
}

func TestAShelfTakesUpNoMoreThanItHolds(t *testing.T) {
	t.Parallel()
	s := &Shelf{Dir: t.TempDir()}
	piece := make([]byte, 1<<20)
	var held []Place
	for range 200 {
		at, err := s.Put(piece)
		if err != nil {
			t.Fatal(err)
		}
		if held = append(held, at); len(held) > 10 {
			if _, err := s.Take(held[0]); err != nil {
				t.Fatal(err)
			}
			held = held[1:]
		}
	}
	var size int64
	for _, p := range s.parts {
		size += p.end
	}
	if size > 3*shelfPartSize {
		t.Errorf("%d MiB in %d files for %d MiB", size>>20, len(s.parts), len(held))
	}
	s.Close()
	if _, err := s.Take(held[0]); err == nil {
		t.Error("there is something on a shelf that was closed")
	}
}
