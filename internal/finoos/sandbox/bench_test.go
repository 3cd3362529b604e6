package sandbox

import (
	"net/http"
	"testing"
)

func BenchmarkBuild(b *testing.B) {
	s, err := New(Options{Users: 1000, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := range b.N {
		s.mu.Lock()
		l := s.lived(i % 1000)
		s.mu.Unlock()
		build(s.world.household(i%1000, s.start), l.analyses, Options{})
	}
}

func BenchmarkAnswer(b *testing.B) {
	for _, path := range []string{"/banking/correlation", "/banking/transactions", "/categorization", "/contracts", "/account-history"} {
		b.Run(path, func(b *testing.B) {
			s, err := New(Options{Users: 1, Seed: 1, NoHistory: true})
			if err != nil {
				b.Fatal(err)
			}
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://sandbox/users/"+s.UserID(0)+path, http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+s.token(0, s.opts.Clock().Add(tokenLife)))
			b.ReportAllocs()
			for b.Loop() {
				resp, err := s.Transport().RoundTrip(r)
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(err, resp)
				}
				b.SetBytes(resp.ContentLength)
				_ = resp.Body.Close()
			}
		})
	}
}
