//go:build ignore

// Command reach ends well where a URL can be read within a few seconds. It goes
// the same way as Go's own tools do, proxies included.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

func main() {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.RegisterProtocol("file", http.NewFileTransport(http.Dir("/")))
	client := http.Client{Transport: transport, Timeout: 5 * time.Second}
	resp, err := client.Get(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if resp.StatusCode != http.StatusOK {
		fmt.Printf("Get %q: %s\n", os.Args[1], resp.Status)
		os.Exit(1)
	}
}
