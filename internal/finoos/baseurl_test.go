package finoos

import "testing"

func TestWrongBaseURLsSayWhatToWrite(t *testing.T) {
	t.Parallel()
	const noAddress = "is no address: write one such as https://os.fino.cloud/api"
	const query = "holds a query or fragment: write the address up to the path only"
	for text, want := range map[string]string{
		"":                           noAddress,
		"os.fino.cloud/api":          noAddress,
		"ftp://finoos.test":          noAddress,
		"https:///api":               noAddress,
		"https://:443/api":           noAddress,
		"https://finoos.test:port":   noAddress,
		"https://finoos.test/?a=b":   query,
		"https://finoos.test/?":      query,
		"https://finoos.test/#":      query,
		"https://finoos.test/#there": query,
		"https://u:p@finoos.test/":   "holds a user or password: credentials belong in client_id and client_secret",
	} {
		if err := CheckBaseURL(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
		if _, err := New(Config{BaseURL: text}); err == nil || err.Error() != "base url "+want {
			t.Errorf("a client of %q: got %v, want base url %s", text, err, want)
		}
	}
	for _, text := range []string{"https://finoos.test", "http://127.0.0.1:8080/api/", "HTTPS://finoos.test/a%20b"} {
		if err := CheckBaseURL(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
