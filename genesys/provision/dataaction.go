package provision

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/genesys"
)

// DataAction is a data action that sends events to a hook.
type DataAction struct {
	// Name is that of the integration, of its credential and of the action's
	// category: Name returns it. Required.
	Name string

	// Action is the name of the action. Default: that of the contract.
	Action string

	// URL is that of the hook, https. Required.
	URL string

	// Header is the header field with the secret. Default: X-Edge-Token.
	Header string

	// Secret is what the hook's auth header has. Required.
	Secret string

	// Contract is that of the hook. Required.
	Contract *contract.Contract

	// TimeoutSeconds is how long Genesys waits for the answer, 1 to 60. Default: 10.
	TimeoutSeconds int

	// Replace lets an action with another input be removed and made anew, with a
	// new ID: Genesys cannot change an input. Default: that is an error.
	Replace bool

	// Test sends an event through to the hook, where it counts as one.
	Test bool
}

// secretField is the field of the credential with the secret.
const secretField = "edgeToken"

var (
	headerName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	headerValue = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)
)

// Check refuses what makes no sense.
func (a DataAction) Check() error { return a.complete() }

func (a *DataAction) complete() error {
	if a.Contract == nil || a.Contract.Name() == "" {
		return errors.New("a data action needs a contract")
	}
	if a.Action == "" {
		a.Action = a.Contract.Name()
	}
	if a.Header == "" {
		a.Header = "X-Edge-Token"
	}
	if a.TimeoutSeconds == 0 {
		a.TimeoutSeconds = 10
	}
	switch {
	case !ours(a.Name):
		return fmt.Errorf("the name %q does not begin with %s", a.Name, prefix)
	case a.Secret == "":
		return errors.New("the secret of the hook is missing")
	case !headerName.MatchString(a.Header) || !headerValue.MatchString(a.Secret):
		return errors.New("the header field cannot have this name, or the secret cannot stand in one")
	case a.TimeoutSeconds < 1 || a.TimeoutSeconds > 60:
		return errors.New("the timeout is 1 to 60 seconds")
	}
	if err := checkAction(a.Action); err != nil {
		return err
	}
	if _, err := NewTemplate(a.Contract); err != nil {
		return err
	}
	return checkHookURL(a.URL)
}

// checkHookURL refuses what Genesys could not call safely.
func checkHookURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("the URL of the hook is not one such as https://hooks.example.com/webhooks/genesys/pe-action-map")
	}
	if u.Scheme != "https" {
		return errors.New("the URL of the hook begins with https://: the secret goes over it")
	}
	return nil
}

// DataAction makes a data action, or brings the one that is there up to date.
func (p *Provisioner) DataAction(ctx context.Context, a DataAction) (*Report, error) {
	r := new(Report)
	if err := a.complete(); err != nil {
		return r, err
	}
	template, err := NewTemplate(a.Contract)
	if err != nil {
		return r, err
	}
	key, err := p.credentialKey(ctx)
	if err != nil {
		return r, err
	}
	integration, fresh, err := p.integration(ctx, r, a.Name)
	if err != nil {
		return r, err
	}
	credential, err := p.credential(ctx, r, &a)
	if err != nil {
		return r, err
	}
	if err := p.config(ctx, r, integration.ID, a.Name, key, credential); err != nil {
		return r, err
	}
	if err := p.enable(ctx, r, integration); err != nil {
		return r, err
	}
	action, err := p.action(ctx, r, &a, template, integration.ID, fresh)
	if err != nil || !a.Test || p.dry {
		return r, err
	}
	r.Test, err = p.test(ctx, &a, action)
	return r, err
}

// request is what the action sends.
func (a *DataAction) request(t Template) *genesys.ActionConfig {
	return &genesys.ActionConfig{
		TimeoutSeconds: a.TimeoutSeconds,
		Request: genesys.RequestConfig{
			URL: a.URL, Type: http.MethodPost, Body: t.Body,
			Headers: map[string]string{"Content-Type": "application/json", a.Header: "${credentials." + secretField + "}"},
		},
		Response: genesys.ResponseConfig{TranslationMap: map[string]string{}, Defaults: map[string]string{}, Template: "${rawResult}"},
	}
}
