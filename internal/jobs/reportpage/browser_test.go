package reportpage

import (
	"context"
	"image"
	"image/color"
	_ "image/png" // screenshots
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// browser is a Chromium on this machine; without one the test is skipped.
func browser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no chromium or google-chrome on PATH: the page is not looked at in a browser")
	return ""
}

// screenshot shows a page in a headless browser.
func screenshot(t *testing.T, program, page string, flags ...string) image.Image {
	t.Helper()
	dir, err := os.MkdirTemp("", "reportpage") //nolint:usetesting // a child of the browser may still write there at the end: no reason to fail
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // see above
	source, shot := filepath.Join(dir, "page.html"), filepath.Join(dir, "page.png")
	if err := os.WriteFile(source, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	flags = append(flags, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+filepath.Join(dir, "profile"), "--screenshot="+shot, source)
	cmd := exec.CommandContext(ctx, program, flags...)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	f, err := os.Open(shot)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestABrowserShowsThePage(t *testing.T) {
	t.Parallel()
	program := browser(t)
	img := screenshot(t, program, pageOf(t, busy(177, 143)), "--window-size=1100,1400")
	size := img.Bounds()
	if size.Dx() != 1100 || size.Dy() != 1400 {
		t.Fatalf("the screenshot is %v", size)
	}
	// Colours of the ground, of the bar of users, of the chart and of its refusals:
	// without the style sheet, or without the drawings, there are none of them.
	least := map[color.RGBA]int{{0xf6, 0xf7, 0xf9, 255}: 50_000, {0x00, 0x72, 0xb2, 255}: 2_000, {0xa9, 0xd3, 0xee, 255}: 50_000, {0xb8, 0x43, 0x0a, 255}: 150}
	found := map[color.RGBA]int{}
	for y := range size.Dy() {
		for x := range size.Dx() {
			if c, ok := color.RGBAModel.Convert(img.At(x, y)).(color.RGBA); ok {
				found[c]++
			}
		}
	}
	for c, n := range least {
		if found[c] < n {
			t.Errorf("%d pixels are of the colour %v, want at least %d", found[c], c, n)
		}
	}
	if len(found) < 100 {
		t.Errorf("only %d colours: there is no text", len(found))
	}
}
