package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"finoos-syncer/internal/jobs/config"
)

// configSchema is the schema that editors get, as a validator of its own reads it.
func configSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("jobs.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("jobs.schema.json")
	if err != nil {
		t.Fatalf("the schema is no schema: %v", err)
	}
	return schema
}

// verdicts are what the schema and the loader say of a configuration. The
// variable V has a value that fits the key it stands for.
func verdicts(t *testing.T, schema *jsonschema.Schema, text, v string) (bySchema, byLoader error) {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	_, byLoader = config.Parse("jobs.yaml", []byte(text), func(name string) (string, bool) { return v, name == "V" })
	return schema.Validate(doc), byLoader
}

// configWith is a working configuration with one line more in a section.
func configWith(section, line string) string {
	lines := map[string]string{section: line}
	sink := "file:///lake"
	if section == "s3" {
		sink, lines["sink"] = "s3://lake", line
	}
	return fmt.Sprintf(`finoos:
  base_url: https://os.test.fino.cloud/api
  client_id: me
  client_secret: x
  %s
sink:
  url: %s
  %s
jobs:
  nightly:
    probe: each
    %s
`, lines["finoos"], sink, lines["sink"], lines["job"])
}

func TestTheShippedConfigurationFitsTheSchema(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("../jobs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Unmarshal(shipped, &doc); err != nil {
		t.Fatal(err)
	}
	if err := configSchema(t).Validate(doc); err != nil {
		t.Error(err)
	}
}

func TestTheSchemaAcceptsWhatTheLoaderAccepts(t *testing.T) {
	t.Parallel()
	schema := configSchema(t)
	for section, lines := range map[string][]string{
		"finoos": {
			"tenant: ''", "tenant: ${V:-}", "requests_per_second: 0.5", "requests_per_second: 20", "paths:", "paths: {}",
			"paths: {contracts: '/users/{user-id}/contracts'}", "timeout: 1m30s", "timeout: .1h", "retry:", "retry: {max_elapsed: 90s}",
			"max_response: 1048576", "max_response: '1048576'", "max_response: 1 GiB", "first_page: 0", "first_page: '1'", "first_page: auto",
		},
		"sink": {
			"compression: snappy", "compression: zstd:22", "target_file_size: 64MiB", "scratch_dir: /scratch", "scratch_dir: ''", "sse: ''",
			"kms_key_id: ''", "expected_bucket_owner: ''",
		},
		"s3": {"sse: AES256", "expected_bucket_owner: '012345678901'", "expected_bucket_owner: 123456789012", "expected_bucket_owner: 012345678901"},
		"job": {
			"schedule: '30 2 * * *'", "schedule: '@daily'", "schedule: ''", "timezone: Europe/Berlin", "streams: [users, contracts]",
			"concurrency: 1", "categorization: full", "deadline: 5h", "deadline: ''", "max_gone: 0", "max_gone: 1", "mask:", "mask: {}", "mask: {accounts: {owner: drop}}",
			"mask: {all: {iban: hmac}, contracts: {partner.contact: drop}}\n    mask_key: 0123456789abcdefX", "mask_key: ''", "sync:",
			"sync: {when: always, user_ip: '2001:db8::7', stale_after: 1h, export_redirect_url: true}", "sync: {user_ip: ''}",
			"failures: {max_ratio: 0.5, retry_at_end: false, quarantine_after: 10}",
		},
	} {
		for _, line := range lines {
			if bySchema, byLoader := verdicts(t, schema, configWith(section, line), "x"); bySchema != nil || byLoader != nil {
				t.Errorf("%s: schema: %v, loader: %v", line, bySchema, byLoader)
			}
		}
	}
}

func TestTheSchemaAcceptsAReferenceForEveryScalar(t *testing.T) {
	t.Parallel()
	schema := configSchema(t)
	for section, keys := range map[string]map[string]string{
		"finoos": {
			"tenant": "t", "requests_per_second": "20", "timeout": "30s", "retry: {max_elapsed": "2m", "max_response": "1MiB", "first_page": "0",
			"paths: {contracts": "/x",
		},
		"sink": {"compression": "snappy", "target_file_size": "128MiB", "scratch_dir": "/x"},
		"s3":   {"sse": "AES256", "expected_bucket_owner": "012345678901"},
		"job": {
			"schedule": "@daily", "timezone": "UTC", "streams: [users,": "contracts", "concurrency": "16", "categorization": "diff",
			"checkpoint_every": "10m", "deadline": "", "mask: {accounts: {owner": "drop", "mask_key": "x", "max_inflight_bytes": "32MiB", "max_gone": "0.01", "sync: {when": "stale",
			"sync: {user_ip": "203.0.113.7", "sync: {export_redirect_url": "true", "failures: {max_ratio": "0.1", "failures: {retry_at_end": "false",
			"failures: {quarantine_after": "5",
		},
	} {
		for key, v := range keys {
			line := key + ": '${V}'"
			switch {
			case strings.Contains(key, "["):
				line = key + " '${V}']"
			case strings.Contains(key, "{"):
				line += strings.Repeat("}", strings.Count(line, "{")-1)
			}
			if bySchema, byLoader := verdicts(t, schema, configWith(section, line), v); bySchema != nil || byLoader != nil {
				t.Errorf("%s: schema: %v, loader: %v", line, bySchema, byLoader)
			}
		}
	}
}

func TestTheSchemaRefusesWhatTheLoaderRefusesAtOneKey(t *testing.T) {
	t.Parallel()
	schema := configSchema(t)
	for section, lines := range map[string][]string{
		"finoos": {
			"tennant: x", "tenant: 4711", "requests_per_second: 0", "requests_per_second: '20'", "requests_per_second: many", "paths: {contract: /x}",
			"paths: {contracts: x}", "timeout: 30", "timeout: 1d", "timeout: -5h", "retry: 2m", "retry: {max_elapsd: 2m}", "max_response: 1KB!",
			"max_response: 1", "first_page: 2", "client_id_file: x",
		},
		"sink": {"compression: gzip", "compression: zstd:23", "target_file_size: big", "sse: aes", "scratch_dir: [x]"},
		"s3":   {"expected_bucket_owner: '4711'"},
		"job": {
			"schedule: [a]", "timezone: ''", "streams: users", "streams: []", "streams: [users, users]", "streams: [contract]", "concurrency: 0",
			"concurrency: 1.5", "concurrency: '16'", "categorization: both", "deadline: 5", "max_gone: 1.5", "max_gone: -1", "mask: {accounts: {iban: hash}}",
			"mask: yes", "mask: {account: {iban: drop}}", "mask: [iban]", "mask_key: x\n    mask_key_file: y", "sync: never", "sync: {when: sometimes}", "sync: {user_ip: here}", "sync: {export_redirect_url: 'true'}", "user_ip: 203.0.113.7",
			"failures: {retry_at_end: 1}", "failures: {quarantine_after: 0}",
		},
	} {
		for _, line := range lines {
			if bySchema, byLoader := verdicts(t, schema, configWith(section, line), "x"); bySchema == nil || byLoader == nil {
				t.Errorf("%s: schema: %v, loader: %v", line, bySchema, byLoader)
			}
		}
	}
	whole := configWith("", "")
	for _, change := range [][2]string{
		{"  client_id: me\n", ""},
		{"  base_url: https://os.test.fino.cloud/api\n", ""},
		{"base_url: https://", "base_url: ftp://"},
		{"client_secret: x", "client_secret: ''"},
		{"url: file:///lake", "url: lake"},
		{"\n  url: file:///lake", ""},
		{"  nightly:", "  Nightly:"},
		{"jobs:\n  nightly:\n    probe: each\n", "jobs: {}\n"},
		{"jobs:", "job:"},
	} {
		text := strings.Replace(whole, change[0], change[1], 1)
		if bySchema, byLoader := verdicts(t, schema, text, "x"); text == whole || bySchema == nil || byLoader == nil {
			t.Errorf("%q: schema: %v, loader: %v", change[1], bySchema, byLoader)
		}
	}
}
