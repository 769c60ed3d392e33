package redis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestURLs(t *testing.T) {
	for _, tc := range []struct {
		urls []string
		want Endpoints
	}{
		{[]string{"redis://a"}, Endpoints{Addrs: []string{"a:6379"}}},
		{[]string{"redis://a/"}, Endpoints{Addrs: []string{"a:6379"}}},
		{[]string{"rediss://a:1/15"}, Endpoints{Addrs: []string{"a:1"}, DB: 15, TLS: true}},
		{[]string{"redis://[::1]:7000"}, Endpoints{Addrs: []string{"[::1]:7000"}}},
		{[]string{"redis://u:p%40%3A@a", "redis://u:p%40%3A@b:7"}, Endpoints{Addrs: []string{"a:6379", "b:7"}, Credentials: Credentials{"u", "p@:"}}},
		{[]string{"redis://:p@a"}, Endpoints{Addrs: []string{"a:6379"}, Credentials: Credentials{"", "p"}}},
		{[]string{"redis://u@a"}, Endpoints{Addrs: []string{"a:6379"}, Credentials: Credentials{"u", ""}}},
	} {
		got, err := ParseURLs(tc.urls...)
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%v: %v\n%s", tc.urls, err, diff)
		}
	}
}

func TestURLsThatAreRefusedAreNotQuoted(t *testing.T) {
	for name, urls := range map[string][]string{
		"none":                     {},
		"empty":                    {""},
		"no URL":                   {"redis://u:hunter2@a:port\x7f"},
		"another scheme":           {"http://u:hunter2@a"},
		"no scheme":                {"u:hunter2@a:6379"},
		"a host alone":             {"hunter2:6379"},
		"no host":                  {"redis://u:hunter2@"},
		"no host but a port":       {"redis://u:hunter2@:6379"},
		"opaque":                   {"redis:hunter2"},
		"an empty port":            {"redis://u:hunter2@a:"},
		"port 0":                   {"redis://u:hunter2@a:0"},
		"a large port":             {"redis://u:hunter2@a:65536"},
		"a port that is no number": {"redis://u:hunter2@a:hunter2"},
		"options":                  {"redis://u:hunter2@a?max_retries=3"},
		"an empty option":          {"redis://u:hunter2@a?"},
		"a fragment":               {"redis://u:p#hunter2@a"},
		"a database's name":        {"redis://u:hunter2@a/hunter2"},
		"a negative database":      {"redis://u:hunter2@a/-1"},
		"two databases":            {"redis://u:hunter2@a/1/2"},
		"schemes that differ":      {"redis://u:hunter2@a", "rediss://u:hunter2@a"},
		"databases that differ":    {"redis://u:hunter2@a/1", "redis://u:hunter2@a/2"},
		"users that differ":        {"redis://u:hunter2@a", "redis://v:hunter2@a"},
		"passwords that differ":    {"redis://u:hunter2@a", "redis://u:hunter3@a"},
	} {
		if e, err := ParseURLs(urls...); err == nil {
			t.Errorf("%s: %+v", name, e)
		} else if strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	one := []string{"a:1"}
	for name, o := range map[string]Options{
		"no address":                {},
		"an empty address":          {Addrs: []string{""}},
		"an unknown mode":           {Addrs: one, Mode: "ring"},
		"two for a single":          {Addrs: []string{"a:1", "b:1"}},
		"a sentinel without a name": {Addrs: one, Mode: ModeSentinel},
		"a single with a name":      {Addrs: one, Master: "m"},
		"a database in a cluster":   {Addrs: one, Mode: ModeCluster, DB: 1},
		"a negative database":       {Addrs: one, DB: -1},
		"a negative time":           {Addrs: one, Timeout: -1},
		"a negative pool":           {Addrs: one, PoolSize: -1},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
