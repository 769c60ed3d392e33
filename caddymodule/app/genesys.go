package app

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hookgate/hookgate/caddymodule/internal/placeholder"
	"github.com/hookgate/hookgate/genesys"
	"github.com/hookgate/hookgate/genesys/live"
)

// Genesys is how Genesys Cloud is asked for the addresses that it sends from,
// which is what allow genesys goes by.
//
// The OAuth client needs the grant type Client Credentials, and no role: give it
// none. The list is fetched once for all nodes that share Caddy's storage, and
// is there again after a restart. What is known stays for as long as no better
// list is to be had.
//
// When the list changes, the event genesys_ranges_changed is emitted, with the
// numbers added, removed and ranges.
type Genesys struct {
	// The region, such as eu-central-1, or the domain, such as mypurecloud.de.
	// It may be a placeholder. Required, unless there are URLs.
	Environment string `json:"environment,omitempty"`

	// The base URL of the API, instead of a region. Default: that of the region.
	APIURL string `json:"api_url,omitempty"`

	// The base URL of the login. Default: that of the API, with login in place of
	// api.
	LoginURL string `json:"login_url,omitempty"`

	// The ID of the OAuth client. Default: {env.GENESYS_CLIENT_ID}.
	ClientID string `json:"client_id,omitempty"`

	// The secret of the OAuth client: a placeholder, {env.NAME} or {file./path}.
	// It is read anew for each token, so that a changed file needs no reload.
	// Default: {env.GENESYS_CLIENT_SECRET}.
	ClientSecret string `json:"client_secret,omitempty"`

	// How old the list gets before it is fetched anew, give or take a tenth; at
	// least 1s. Default: 30m.
	Refresh caddy.Duration `json:"refresh,omitempty"`

	env genesys.Environment
}

// minRefresh keeps a mistake from asking without a pause.
const minRefresh = time.Second

// check holds the settings against what can be said of them without what the
// placeholders stand for.
func (g *Genesys) check() error {
	switch {
	case g.ClientSecret != "" && !secret.MatchString(g.ClientSecret):
		return errors.New("genesys: a secret does not stand here itself: write {env.NAME} or {file./path}")
	case g.Environment == "" && g.APIURL == "":
		return errors.New("genesys: a region such as eu-central-1, or a domain such as mypurecloud.de, is missing")
	case g.Environment != "" && (g.APIURL != "" || g.LoginURL != ""):
		return errors.New("genesys: a region and URLs exclude each other")
	case g.Refresh != 0 && time.Duration(g.Refresh) < minRefresh:
		return fmt.Errorf("genesys: refresh is too short: at least %s", minRefresh)
	case strings.Contains(g.Environment+g.APIURL+g.LoginURL, "{"):
		return nil
	}
	_, err := g.place()
	return err
}

// place resolves where Genesys is.
func (g *Genesys) place() (env genesys.Environment, err error) {
	var texts [3]string
	for i, template := range []string{g.Environment, g.APIURL, g.LoginURL} {
		if template == "" {
			continue
		}
		if texts[i], err = placeholder.Resolve(template); err != nil {
			return env, fmt.Errorf("genesys: %w", err)
		}
	}
	if texts[0] != "" {
		env, err = genesys.ParseEnvironment(texts[0])
	} else {
		env, err = genesys.ParseURLs(texts[1], texts[2])
	}
	if err != nil {
		return env, fmt.Errorf("genesys: %w", err)
	}
	return env, nil
}

// credentials reads the client's ID and secret as they are now.
func (g *Genesys) credentials() (c genesys.Credentials, err error) {
	id, hush := g.ClientID, g.ClientSecret
	if id == "" {
		id = "{env." + genesys.EnvClientID + "}"
	}
	if hush == "" {
		hush = "{env." + genesys.EnvClientSecret + "}"
	}
	if c.ClientID, err = placeholder.Resolve(id); err != nil {
		return c, fmt.Errorf("genesys: client_id: %w", err)
	}
	if c.ClientSecret, err = placeholder.Resolve(hush); err != nil {
		return c, fmt.Errorf("genesys: client_secret: %w", err)
	}
	return c, nil
}

// provision checks the settings. It connects to nobody.
func (g *Genesys) provision() (err error) {
	if err = g.check(); err != nil {
		return err
	}
	if g.env, err = g.place(); err != nil {
		return err
	}
	_, err = g.credentials()
	return err
}

// notInKey are characters that not every storage takes in a key.
var notInKey = regexp.MustCompile(`[^a-z0-9.-]+`)

// key is that of the list in Caddy's storage: organizations in one region have
// the same.
func (g *Genesys) key() string {
	_, host, _ := strings.Cut(g.env.API, "://")
	return "hookgate/genesys/ranges-" + notInKey.ReplaceAllLiteralString(strings.ToLower(host), "-") + ".json"
}

// digest tells settings apart. Secrets are in it by their templates, as they
// are read anew.
func (g *Genesys) digest() ([sha256.Size]byte, error) {
	all, err := json.Marshal([]any{g, g.env})
	return sha256.Sum256(all), err
}

// keeper makes what keeps the list. It does not connect yet.
func (g *Genesys) keeper(env Env) (*keeperEntry, error) {
	creds := *g
	client, err := genesys.New(genesys.Options{Environment: g.env, Credentials: creds.credentials})
	if err != nil {
		return nil, err
	}
	keeper, err := live.New(live.Options{
		Fetch:   genesys.API{Sender: client}.IPRanges,
		Key:     g.key(),
		Refresh: time.Duration(g.Refresh),
		Logger:  lasting(env.Logger).Named("genesys"),
	})
	if err != nil {
		client.Close()
		return nil, err
	}
	return &keeperEntry{keeper: keeper, client: client}, nil
}

// keepers has what keeps lists, by the digest of its settings: it goes on over
// a reload.
var keepers = caddy.NewUsagePool()

// keeperEntry is an entry of keepers.
type keeperEntry struct {
	keeper *live.Keeper
	client *genesys.Client
}

// Destruct implements caddy.Destructor, when the last user has left.
func (e *keeperEntry) Destruct() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	err := e.keeper.Close(ctx)
	e.client.Close()
	return err
}
