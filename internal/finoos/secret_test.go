package finoos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestSecretCannotBePrinted(t *testing.T) {
	t.Parallel()
	secret := Secret(testSecret)
	holders := []any{secret, &secret, struct{ S Secret }{secret}, []Secret{secret}, map[string]Secret{"s": secret}, Config{ClientSecret: secret}}
	for _, holder := range holders {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if text := fmt.Sprintf(verb, holder); strings.Contains(text, testSecret) || strings.Contains(text, fmt.Sprintf("%x", testSecret)) {
				t.Errorf("%s of %T: %s", verb, holder, text)
			}
		}
		if _, ok := holder.(Config); ok {
			continue // holds interfaces, which the encoders do not know
		}
		asJSON, err := json.Marshal(holder)
		if err != nil || strings.Contains(string(asJSON), testSecret) {
			t.Errorf("%T: %s, %v", holder, asJSON, err)
		}
		asYAML, err := yaml.Marshal(holder)
		if err != nil || strings.Contains(string(asYAML), testSecret) {
			t.Errorf("%T: %s, %v", holder, asYAML, err)
		}
		var logged bytes.Buffer
		for _, handler := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
			slog.New(handler).Info("test", "value", holder)
		}
		if strings.Contains(logged.String(), testSecret) || !strings.Contains(logged.String(), "redacted") {
			t.Errorf("%T: logged %s", holder, logged.String())
		}
	}
	if secret.Reveal() != testSecret {
		t.Error("the secret itself is lost")
	}
}
