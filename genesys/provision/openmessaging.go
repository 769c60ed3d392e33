package provision

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/hookgate/hookgate/genesys"
)

// OpenMessaging is an Open Messaging integration that sends messages to a hook.
type OpenMessaging struct {
	// Name is that of the integration: Name returns it. Required.
	Name string

	// URL is that of the hook: https, on port 443. Required.
	URL string

	// Secret is what messages are signed with, of at least 16 characters: that
	// of the hook's auth hub_signature. Required.
	Secret string

	// Headers are sent with each message. Default: none.
	Headers map[string]string
}

// minSecret is how many characters Genesys asks for.
const minSecret = 16

// Check refuses what makes no sense.
func (m *OpenMessaging) Check() error {
	switch {
	case !ours(m.Name):
		return fmt.Errorf("the name %q does not begin with %s", m.Name, prefix)
	case len(m.Secret) < minSecret:
		return fmt.Errorf("the secret has less than %d characters, which Genesys refuses", minSecret)
	}
	if err := checkHookURL(m.URL); err != nil {
		return err
	}
	u, err := url.Parse(m.URL)
	if err != nil || u.Port() != "" && u.Port() != "443" {
		return errors.New("the URL of the hook names a port: Open Messaging calls port 443 only")
	}
	return nil
}

// OpenMessaging makes an Open Messaging integration, or brings the one that is
// there up to date.
func (p *Provisioner) OpenMessaging(ctx context.Context, m OpenMessaging) (*Report, error) {
	r := new(Report)
	if err := m.Check(); err != nil {
		return r, err
	}
	want := genesys.OpenMessagingSettings{Name: m.Name, URL: m.URL, Secret: m.Secret, Headers: m.Headers}
	got, made, err := ensure(ctx, p.waits, func(ctx context.Context) (*genesys.OpenMessaging, error) {
		found, err := p.findMessaging(ctx, m.Name)
		if err != nil || found == nil || found.CreateStatus != genesys.CreateError {
			return found, err
		}
		// What could not be made is in the way of another attempt.
		r.add(KindOpenMessaging, m.Name, found.ID, Removed)
		return nil, p.api.DeleteOpenMessaging(ctx, found.ID)
	}, func(ctx context.Context) (genesys.OpenMessaging, error) {
		return p.api.CreateOpenMessaging(ctx, want)
	})
	if err != nil {
		return r, err
	}
	if err := p.completed(ctx, got.ID); err != nil {
		return r, err
	}
	state := Created
	if !made { // Genesys is not asked what the secret is
		state = Updated
		if err := p.api.UpdateOpenMessaging(ctx, got.ID, want); err != nil {
			return r, err
		}
	}
	r.add(KindOpenMessaging, m.Name, got.ID, state)
	return r, nil
}

func (p *Provisioner) findMessaging(ctx context.Context, name string) (*genesys.OpenMessaging, error) {
	all, err := p.api.OpenMessagings(ctx)
	if err != nil {
		return nil, err
	}
	return only(all, KindOpenMessaging, name, func(m genesys.OpenMessaging) bool { return m.Name == name })
}

// completed waits until an integration is made.
func (p *Provisioner) completed(ctx context.Context, id string) error {
	return p.waits.until(ctx, "the Open Messaging integration is made", func(ctx context.Context) (bool, error) {
		now, err := p.api.OpenMessaging(ctx, id)
		if err != nil {
			return false, err
		}
		if now.CreateStatus == genesys.CreateError {
			reason := "Genesys does not say why"
			if now.CreateError != nil {
				reason = now.CreateError.Message
			}
			return false, fmt.Errorf("the Open Messaging integration could not be made: %s; run it again", reason)
		}
		return now.CreateStatus == genesys.CreateCompleted || now.CreateStatus == "", nil
	})
}
