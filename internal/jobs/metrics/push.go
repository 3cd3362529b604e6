package metrics

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus/push"

	"finoos-syncer/internal/human"
)

// pushTime bounds handing the numbers over: a run is not held up by them.
const pushTime = 5 * time.Second

// maxPushError is how many characters of a Pushgateway's words are passed on.
const maxPushError = 300

// CheckPushURL says what is wrong with the address of a Pushgateway.
func CheckPushURL(address string) error {
	_, _, err := pushAddress(address)
	return err
}

func pushAddress(address string) (clean string, user *url.Userinfo, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", nil, errors.New("is no address of a Pushgateway: write one such as http://pushgateway:9091")
	}
	user, u.User = u.User, nil
	return u.String(), user, nil
}

// WithPassword returns the address of a Pushgateway with the password of its user,
// and whether the address had one itself. "" adds none. It is an error that no
// user is named, and that there are two passwords.
func WithPassword(address, password string) (with string, had bool, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false, errors.New("is no address of a Pushgateway") // which may hold a password
	}
	_, had = u.User.Password()
	switch {
	case password == "":
		return address, had, nil
	case had:
		return "", true, errors.New("there are two passwords: leave the one in the address out")
	case u.User.Username() == "":
		return "", false, errors.New("whose password is it? Write the user: https://USER@pushgateway:9091")
	}
	u.User = url.UserPassword(u.User.Username(), password)
	return u.String(), false, nil
}

// Push hands the numbers of a short run to a Prometheus Pushgateway, in the place
// of those of its last run: instance names job and shard. A user and password in
// the address are sent as such, and named in no error.
func (m *Metrics) Push(ctx context.Context, address, instance string) error {
	clean, user, err := pushAddress(address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushTime)
	defer cancel()
	p := push.New(clean, "syncer").Grouping("instance", instance).Gatherer(m.registry).Client(&http.Client{Timeout: pushTime})
	if password, ok := user.Password(); ok {
		p = p.BasicAuth(user.Username(), password)
	}
	if err := p.PushContext(ctx); err != nil {
		return errors.New("push metrics: " + human.Line(err.Error(), maxPushError)) // it has the whole answer
	}
	return nil
}
