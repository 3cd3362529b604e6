package k8s

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/resource"
)

// client speaks to an API server as its administrator. It is strict: fields that
// the server does not know are refused by it, and what it only warns of is an
// error here.
type client struct {
	http       *http.Client
	url, token string
}

// refused is what the server says where it does not do what it was asked for.
type refused struct {
	code    int
	message string
}

func (r *refused) Error() string { return fmt.Sprintf("%d: %s", r.code, r.message) }

// absent tells whether the server says that something is not there.
func absent(err error) bool {
	r, ok := errors.AsType[*refused](err)
	return ok && r.code == http.StatusNotFound
}

// do sends in as JSON, or as it is where it is bytes, and reads the answer into
// out, each unless it is nil.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	body, isBytes := in.([]byte)
	if in != nil && !isBytes {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Content-Type", contentType(req))
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // nothing was written
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		var status metav1.Status
		_ = json.Unmarshal(text, &status) // not everything that refuses is the API
		return &refused{resp.StatusCode, cmp.Or(status.Message, string(text))}
	}
	if warnings := resp.Header.Values("Warning"); len(warnings) > 0 {
		return fmt.Errorf("%s %s: the server warns: %s", method, path, strings.Join(warnings, "; "))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// contentType is how the server is to read a body: a patch is merged into what
// is there, but for applied ones, which say fieldManager.
func contentType(req *http.Request) string {
	switch {
	case req.Method != http.MethodPatch:
		return "application/json"
	case req.URL.Query().Has("fieldManager"):
		return "application/apply-patch+yaml"
	}
	return "application/strategic-merge-patch+json"
}

// collections are where the server has the kinds of the manifests.
var collections = map[string]string{
	"Namespace": "api/v1/namespaces", "ConfigMap": "api/v1/configmaps", "Secret": "api/v1/secrets", "Service": "api/v1/services",
	"ServiceAccount": "api/v1/serviceaccounts", "Pod": "api/v1/pods", "EndpointSlice": "apis/discovery.k8s.io/v1/endpointslices",
	"Deployment": "apis/apps/v1/deployments", "Job": "apis/batch/v1/jobs", "CronJob": "apis/batch/v1/cronjobs",
	"NetworkPolicy": "apis/networking.k8s.io/v1/networkpolicies", "Event": "api/v1/events",
}

// at is the path of a kind's objects in a namespace, or of one of them.
func at(kind, namespace string, more ...string) string {
	path := collections[kind]
	if namespace != "" {
		cut := strings.LastIndex(path, "/")
		path = path[:cut] + "/namespaces/" + namespace + path[cut:]
	}
	return "/" + strings.Join(append([]string{path}, more...), "/")
}

// strictly is how everything is sent.
var strictly = url.Values{"fieldValidation": {"Strict"}}

// only has the server say what it would do, admission included.
var only = url.Values{"fieldValidation": {"Strict"}, "dryRun": {"All"}}

// apply does what kubectl apply --server-side does with an object; text may be
// another than its own.
func (c *client) apply(ctx context.Context, o *resource.Resource, text string, how url.Values) error {
	query := url.Values{"fieldManager": {"test"}, "force": {"true"}}
	maps.Copy(query, how)
	path := at(o.GetKind(), o.GetNamespace(), o.GetName()) + "?" + query.Encode()
	if err := c.do(ctx, http.MethodPatch, path, []byte(text), nil); err != nil {
		return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return nil
}

// create makes an object.
func (c *client) create(ctx context.Context, kind, namespace string, object, created any, how url.Values) error {
	return c.do(ctx, http.MethodPost, at(kind, namespace)+"?"+how.Encode(), object, created)
}
