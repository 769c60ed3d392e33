package genesys

import "errors"

// The environment variables that credentials come from where nothing else is
// said.
const (
	EnvClientID     = "GENESYS_CLIENT_ID"
	EnvClientSecret = "GENESYS_CLIENT_SECRET"
	EnvEnvironment  = "GENESYS_ENVIRONMENT"
)

// Credentials are those of an OAuth client with the grant type "Client
// Credentials". What it may do follows from its roles: such clients have no
// scopes.
type Credentials struct {
	ClientID     string
	ClientSecret string
}

// String keeps the secret out of what is printed.
func (c Credentials) String() string { return c.ClientID + ":***" }

// GoString is String for %#v.
func (c Credentials) GoString() string { return c.String() }

// Fixed returns credentials that do not change, as Options has them.
func Fixed(c Credentials) func() (Credentials, error) {
	return func() (Credentials, error) { return c, c.check() }
}

func (c Credentials) check() error {
	switch {
	case c.ClientID == "":
		return errors.New("the ID of the OAuth client is missing: set client_id, or " + EnvClientID)
	case c.ClientSecret == "":
		return errors.New("the secret of the OAuth client is missing: set client_secret, or " + EnvClientSecret)
	}
	return nil
}
