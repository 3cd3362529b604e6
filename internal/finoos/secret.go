package finoos

import "log/slog"

const redacted = "[redacted]"

// Secret is a string that cannot be printed by accident: every way in which
// fmt, log/slog and the JSON, YAML and text encoders show a value yields a
// placeholder. Only [Secret.Reveal] returns the text.
type Secret string

// Reveal returns the text itself. Call it where the text goes onto the wire.
func (s Secret) Reveal() string { return string(s) }

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer], the text of %#v.
func (Secret) GoString() string { return redacted }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler]; JSON and XML use it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalYAML implements the Marshaler of the YAML packages.
func (Secret) MarshalYAML() (any, error) { return redacted, nil }
