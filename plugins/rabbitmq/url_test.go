package rabbitmq

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestURLsThatAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		urls []string
		want Endpoints
	}{
		"a host alone": {
			[]string{"amqp://rabbit"},
			Endpoints{Servers: []Server{{"rabbit:5672", "rabbit"}}, Vhost: "/"},
		},
		"with TLS": {
			[]string{"amqps://rabbit"},
			Endpoints{Servers: []Server{{"rabbit:5671", "rabbit"}}, Vhost: "/", TLS: true},
		},
		"with everything": {
			[]string{"amqps://edge:s3cret@rabbit:5000/hooks"},
			Endpoints{Servers: []Server{{"rabbit:5000", "rabbit"}}, Vhost: "hooks", TLS: true, Credentials: Credentials{"edge", "s3cret"}},
		},
		"an empty virtual host is the default one": {
			[]string{"amqp://rabbit/"},
			Endpoints{Servers: []Server{{"rabbit:5672", "rabbit"}}, Vhost: "/"},
		},
		"a slash in the virtual host": {
			[]string{"amqp://rabbit/%2Fprod%20eu"},
			Endpoints{Servers: []Server{{"rabbit:5672", "rabbit"}}, Vhost: "/prod eu"},
		},
		"reserved characters in user and password": {
			[]string{"amqp://a%40b:p%2F%3A%25@rabbit"},
			Endpoints{Servers: []Server{{"rabbit:5672", "rabbit"}}, Vhost: "/", Credentials: Credentials{"a@b", "p/:%"}},
		},
		"a user alone": {
			[]string{"amqp://edge@rabbit"},
			Endpoints{Servers: []Server{{"rabbit:5672", "rabbit"}}, Vhost: "/", Credentials: Credentials{Username: "edge"}},
		},
		"IPv6": {
			[]string{"amqp://[::1]:5673/"},
			Endpoints{Servers: []Server{{"[::1]:5673", "::1"}}, Vhost: "/"},
		},
		"IPv6 without a port": {
			[]string{"amqp://[fd00::1]"},
			Endpoints{Servers: []Server{{"[fd00::1]:5672", "fd00::1"}}, Vhost: "/"},
		},
		"several nodes": {
			[]string{"amqp://e:p@a/hooks", "amqp://e:p@b:5000/hooks"},
			Endpoints{Servers: []Server{{"a:5672", "a"}, {"b:5000", "b"}}, Vhost: "hooks", Credentials: Credentials{"e", "p"}},
		},
	} {
		got, err := ParseURLs(test.urls...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestURLsThatAreRefusedAndNotQuoted(t *testing.T) {
	for name, test := range map[string]struct {
		urls []string
		want string
	}{
		"none":                              {nil, "no URL"},
		"an empty one":                      {[]string{""}, "scheme"},
		"another scheme":                    {[]string{"http://u:hunter2@h"}, "scheme"},
		"no scheme":                         {[]string{"u:hunter2@h"}, "URL"},
		"no slashes":                        {[]string{"amqp:u:hunter2@h"}, "host"},
		"no host":                           {[]string{"amqp://u:hunter2@/"}, "host"},
		"a slash in the password":           {[]string{"amqp://u:hunter2/x@h"}, "URL 1"},
		"a percent sign in it":              {[]string{"amqp://u:hunter2%zz@h"}, "percent-encoded"},
		"an empty port":                     {[]string{"amqp://u:hunter2@h:"}, "port"},
		"port 0":                            {[]string{"amqp://u:hunter2@h:0"}, "port"},
		"a port that is too high":           {[]string{"amqp://u:hunter2@h:65536"}, "port"},
		"options":                           {[]string{"amqp://u:hunter2@h?heartbeat=5"}, "options"},
		"an empty option":                   {[]string{"amqp://u:hunter2@h?"}, "options"},
		"a fragment":                        {[]string{"amqp://u:hunter2@h#x"}, "options"},
		"a slash in the virtual host":       {[]string{"amqp://u:hunter2@h/a/b"}, "%2F"},
		"another scheme in the second":      {[]string{"amqp://u:hunter2@a", "amqps://u:hunter2@b"}, "URL 2: its scheme"},
		"another virtual host in it":        {[]string{"amqp://u:hunter2@a/x", "amqp://u:hunter2@b/y"}, "URL 2: its virtual host"},
		"another password in it":            {[]string{"amqp://u:hunter2@a", "amqp://u:hunter3@b"}, "URL 2: its user or password"},
		"no password in it":                 {[]string{"amqp://u:hunter2@a", "amqp://u@b"}, "URL 2: its user or password"},
		"the second is none":                {[]string{"amqp://u:hunter2@a", "hunter2"}, "URL 2"},
		"a control character in the second": {[]string{"amqp://a", "amqp://u:hunter2\x00@b"}, "URL 2"},
	} {
		_, err := ParseURLs(test.urls...)
		switch {
		case err == nil:
			t.Errorf("%s: no error", name)
		case !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: %q is not in %q", name, test.want, err)
		case strings.Contains(err.Error(), "hunter"):
			t.Errorf("%s: the error quotes the URL: %v", name, err)
		}
	}
}

func TestEveryUserPasswordAndVirtualHostCanBeWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		user := rapid.StringN(1, 20, -1).Draw(t, "user")
		password := rapid.StringN(1, 20, -1).Draw(t, "password")
		vhost := rapid.StringN(1, 20, -1).Draw(t, "vhost")
		raw := "amqp://" + url.UserPassword(user, password).String() + "@h/" + url.PathEscape(vhost)
		got, err := ParseURLs(raw)
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		if got.Credentials != (Credentials{user, password}) || got.Vhost != vhost {
			t.Fatalf("%q: %+v", raw, got)
		}
	})
}

func FuzzParseURLs(f *testing.F) {
	f.Add("amqp://u:p@h:1/v")
	f.Fuzz(func(t *testing.T, raw string) {
		if e, err := ParseURLs(raw); err == nil && (len(e.Servers) != 1 || e.Servers[0].Host == "" || e.Vhost == "") {
			t.Errorf("%q: %+v", raw, e)
		}
	})
}
