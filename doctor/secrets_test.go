package doctor

import (
	"slices"
	"strings"
	"testing"
)

func TestSecretsInAConfigAreFoundAndNotShown(t *testing.T) {
	const drawn = "hunter2Zk9QpL4xVb7w"
	for _, tc := range []struct {
		name, config string
		want         []string // where
	}{
		{"a password", `{"apps":{"hookgate":{"store":{"password":"hunter2"}}}}`, []string{"/apps/hookgate/store/password"}},
		{"a password in a file", `{"store":{"password":"{file./run/secrets/my redis}"}}`, nil},
		{"a password in the environment", `{"store":{"password":"{env.PASSWORD}"}}`, nil},
		{"an empty password", `{"store":{"password":""}}`, nil},
		{"a password in a URL", `{"urls":["redis://h:1","redis://u:hunter2@h:1"]}`, []string{"/urls/1"}},
		{"a user in a URL", `{"urls":["redis://u@h:1"]}`, nil},
		{"a placeholder in a URL", `{"urls":["amqp://u:{env.P}@h:1","{env.URL}"]}`, nil},
		{"a part of a password in a URL", `{"urls":["amqp://u:hunter2{env.P}@h:1"]}`, []string{"/urls/0"}},
		{"a DSN of words", `{"dsn":"host=db password=hunter2"}`, []string{"/dsn"}},
		{"a DSN of words without one", `{"dsn":"host=db user=hookgate"}`, nil},
		{"a DSN of words with a placeholder", `{"dsn":"host=db password={env.P} user=u"}`, nil},
		{"a quoted password", `{"dsn":"password = 'hunter2 a' host=db"}`, []string{"/dsn"}},
		{"a parameter of a DSN", `{"dsn":"postgres://db/app?sslmode=require&password=hunter2"}`, []string{"/dsn"}},
		{"the secrets of a rule", `{"rules":[{"scheme":"header","secrets":["{env.A}","hunter2"]}]}`, []string{"/rules/0/secrets/1"}},
		{"a token behind a prefix", `{"secrets":["Bearer {env.A}"]}`, nil},
		{"a header field", `{"header":{"X-Api-Key":"hunter2"}}`, []string{"/header/X-Api-Key"}},
		{"a header field that is deleted from the log", `{"fields":{"request>headers>X-Edge-Token":{"filter":"delete"}}}`, nil},
		{"a drawn text", `{"x_signature_v1":"` + drawn + `"}`, []string{"/x_signature_v1"}},
		{"a word under a like name", `{"x_signature_v1":"sha256"}`, nil},
		{"a drawn text elsewhere", `{"id":"` + drawn + `"}`, nil},
		{"the path of a secret", `{"token":"/run/secrets/token","bearer_file":"/run/token","password_file":"p"}`, nil},
		{"a hash", `{"accounts":[{"password":"$2a$14$hunter2hunter2hunter2"}]}`, nil},
		{"a slash and a tilde in the name", `{"a/b~c":{"token":"hunter2"}}`, []string{"/a~1b~0c/token"}},
		{"numbers", `{"token":5,"secret":null,"password":true}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, f := range Secrets([]byte(tc.config)) {
				if strings.Contains(f.About+f.Seen+f.Advice, "hunter2") {
					t.Errorf("the secret is shown: %+v", f)
				}
				if f.Status == Fail {
					got = append(got, f.About)
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if f := Secrets([]byte("no")); len(f) != 1 || f[0].Status != Skipped {
		t.Errorf("%+v", f)
	}
}
