package provision

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"

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

// credentialKey is the place in the integration's configuration where a
// credential of our type goes.
func (p *Provisioner) credentialKey(ctx context.Context) (string, error) {
	t, err := p.api.IntegrationType(ctx, genesys.WebServices)
	if err != nil {
		return "", err
	}
	for _, key := range slices.Sorted(maps.Keys(t.Credentials)) {
		if slices.Contains(t.Credentials[key].Types, genesys.UserDefined) {
			return key, nil
		}
	}
	return "", fmt.Errorf("integrations of the type %s take no credential of the type %s in this organization", genesys.WebServices, genesys.UserDefined)
}

func (p *Provisioner) integration(ctx context.Context, r *Report, name string) (genesys.Integration, bool, error) {
	in, made, err := ensure(ctx, p.waits, func(ctx context.Context) (*genesys.Integration, error) {
		all, err := p.api.Integrations(ctx)
		if err != nil {
			return nil, err
		}
		return only(all, KindIntegration, name, func(in genesys.Integration) bool { return isOurs(in) && in.Name == name })
	}, func(ctx context.Context) (genesys.Integration, error) {
		return p.api.CreateIntegration(ctx, name, genesys.WebServices)
	})
	if err == nil {
		r.add(KindIntegration, name, in.ID, stateOf(made))
	}
	return in, made, err
}

// isOurs reports whether an integration is one that is made here.
func isOurs(in genesys.Integration) bool { return in.Type.ID == genesys.WebServices && ours(in.Name) }

func stateOf(made bool) string {
	if made {
		return Created
	}
	return Unchanged
}

// credential makes the credential, or writes the secret anew: Genesys does not
// say what it is.
func (p *Provisioner) credential(ctx context.Context, r *Report, a *DataAction) (string, error) {
	want := genesys.Credential{
		Name: a.Name, Type: genesys.CredentialType{Name: genesys.UserDefined}, Fields: map[string]string{secretField: a.Secret},
	}
	c, made, err := ensure(ctx, p.waits, func(ctx context.Context) (*genesys.Credential, error) {
		return p.findCredential(ctx, a.Name)
	}, func(ctx context.Context) (genesys.Credential, error) {
		return p.api.CreateCredential(ctx, want)
	})
	if err != nil {
		return "", err
	}
	state := Created
	if !made {
		state = Updated
		if err := p.api.UpdateCredential(ctx, c.ID, want); err != nil {
			return "", err
		}
	}
	r.add(KindCredential, a.Name, c.ID, state)
	return c.ID, nil
}

func (p *Provisioner) findCredential(ctx context.Context, name string) (*genesys.Credential, error) {
	all, err := p.api.Credentials(ctx)
	if err != nil {
		return nil, err
	}
	return only(all, KindCredential, name, func(c genesys.Credential) bool { return c.Name == name && c.Type.Name == genesys.UserDefined })
}

// notes tell whoever finds the integration where it is from.
const notes = "Made by hookgate genesys provision: run it again to change anything."

func (p *Provisioner) config(ctx context.Context, r *Report, id, name, key, credential string) error {
	state := Unchanged
	err := genesys.Versioned(ctx, func(ctx context.Context) error {
		c, err := p.api.IntegrationConfig(ctx, id)
		if err != nil {
			return err
		}
		if c.Credentials[key].ID == credential && c.Name == name {
			return nil
		}
		if c.Properties == nil {
			c.Properties = map[string]any{}
		}
		if c.Advanced == nil {
			c.Advanced = map[string]any{}
		}
		c.Name, c.Notes = name, notes
		c.Credentials = map[string]genesys.CredentialRef{key: {ID: credential}}
		state = Updated
		_, err = settled(ctx, p.waits, true, func(ctx context.Context) (struct{}, error) {
			err := p.api.SetIntegrationConfig(ctx, id, c)
			if genesys.IsVersionConflict(err) { // to be read again, not to be waited for
				return struct{}{}, &conflict{err}
			}
			return struct{}{}, err
		})
		if c, ok := errors.AsType[*conflict](err); ok {
			return c.err
		}
		return err
	})
	if err == nil {
		r.add(KindConfig, name, id, state)
	}
	return err
}

// conflict hides what kind of error it is.
type conflict struct{ err error }

func (c *conflict) Error() string { return c.err.Error() }

// enable switches the integration on, and waits until it is.
func (p *Provisioner) enable(ctx context.Context, r *Report, in genesys.Integration) error {
	state := Unchanged
	if in.IntendedState != genesys.Enabled {
		state = "enabled"
		if _, err := p.api.SetIntegrationState(ctx, in.ID, genesys.Enabled); err != nil {
			return err
		}
	}
	if !p.dry {
		err := p.waits.until(ctx, "the integration becomes active", func(ctx context.Context) (bool, error) {
			now, err := p.api.Integration(ctx, in.ID)
			if err != nil {
				return false, err
			}
			if now.ReportedState != nil && now.ReportedState.Code == "ERROR" {
				return false, errors.New("the integration cannot be enabled: Genesys reports the state ERROR; look at it under Admin > Integrations")
			}
			return now.IntendedState == genesys.Enabled && (now.ReportedState == nil || now.ReportedState.Code == "" || now.ReportedState.Code == "ACTIVE"), nil
		})
		if err != nil {
			return err
		}
	}
	if state != Unchanged {
		r.add(KindIntegration, in.Name, in.ID, state)
	}
	return nil
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
