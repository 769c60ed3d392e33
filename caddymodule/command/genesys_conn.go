package command

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/hookgate/hookgate/genesys"
)

// envHookSecret is the environment variable with the secret of a hook.
const envHookSecret = "HOOKGATE_HOOK_SECRET"

// genesysConn are the flags that say how Genesys Cloud is asked.
type genesysConn struct {
	region, clientID, secretFile string
	apiURL, loginURL, caCert     string
	timeout                      time.Duration
	json                         bool
}

func (c *genesysConn) register(flags *pflag.FlagSet) {
	flags.StringVar(&c.region, "region", "", "region such as eu-central-1, or domain such as mypurecloud.de (or "+genesys.EnvEnvironment+")")
	flags.StringVar(&c.clientID, "client-id", "", "ID of the OAuth client (or "+genesys.EnvClientID+")")
	flags.StringVar(&c.secretFile, "client-secret-file", "", "file with its secret (or the secret in "+genesys.EnvClientSecret+")")
	flags.StringVar(&c.apiURL, "api-url", "", "base URL of the API, instead of a region")
	flags.StringVar(&c.loginURL, "login-url", "", "base URL of the login, where it does not follow from --api-url")
	flags.StringVar(&c.caCert, "cacert", "", "PEM file of certificates to trust, instead of the system's")
	flags.DurationVar(&c.timeout, "timeout", genesys.DefaultTimeout, "how long one call may take")
	flags.BoolVar(&c.json, "json", false, "print JSON")
}

// environment finds out where Genesys is.
func (c *genesysConn) environment() (genesys.Environment, error) {
	if c.apiURL != "" {
		if c.region != "" {
			return genesys.Environment{}, errors.New("--region and --api-url exclude each other")
		}
		return genesys.ParseURLs(c.apiURL, c.loginURL)
	}
	region := firstOf(c.region, os.Getenv(genesys.EnvEnvironment))
	if region == "" {
		return genesys.Environment{}, errors.New("say which region: --region eu-central-1, or " + genesys.EnvEnvironment)
	}
	return genesys.ParseEnvironment(region)
}

func (c *genesysConn) credentials() (genesys.Credentials, error) {
	creds := genesys.Credentials{ClientID: firstOf(c.clientID, os.Getenv(genesys.EnvClientID))}
	if creds.ClientID == "" {
		return creds, errors.New("say which OAuth client: --client-id, or " + genesys.EnvClientID)
	}
	var err error
	creds.ClientSecret, err = secretFrom(c.secretFile, "--client-secret-file", genesys.EnvClientSecret)
	return creds, err
}

// secretFrom reads a secret from a file, or takes it from the environment.
func secretFrom(file, flag, variable string) (string, error) {
	if file == "" {
		if s := os.Getenv(variable); s != "" {
			return s, nil
		}
		return "", fmt.Errorf("the secret is missing: a file with %s, or %s in the environment", flag, variable)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	s := strings.TrimRight(string(raw), "\r\n")
	if s == "" {
		return "", fmt.Errorf("%s: the file is empty", flag)
	}
	return s, nil
}

// open makes the client. It asks nobody yet; what is wrong is wrong usage.
func (c *genesysConn) open() (*genesys.Client, error) {
	env, err := c.environment()
	if err != nil {
		return nil, usage(err)
	}
	creds, err := c.credentials()
	if err != nil {
		return nil, usage(err)
	}
	roots, err := readRoots(c.caCert)
	if err != nil {
		return nil, usage(err)
	}
	return genesys.New(genesys.Options{
		Environment: env, Credentials: genesys.Fixed(creds), Timeout: c.timeout, Transport: trusting(roots),
	})
}

// trusting sends requests with the authorities of a pool; nil for the system's.
func trusting(roots *x509.CertPool) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	if roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return t
}

// printValue prints a value as JSON, for a program and for a person.
func printValue(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// shown keeps what Genesys says on one line, and from steering the terminal.
func shown(s string) string {
	return visible(json.RawMessage(strings.ReplaceAll(s, "\n", " ")))
}
