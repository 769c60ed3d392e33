package main

import (
	"strings"
	"testing"
)

func TestCaddyfile(t *testing.T) {
	for _, v := range variants {
		c := v.caddyfile("8080", "127.0.0.1:2019", "/folder")
		if strings.Contains(c, "$") || !strings.Contains(c, "http://:8080 {") || !strings.Contains(c, "admin 127.0.0.1:2019") {
			t.Errorf("%s:\n%s", v.name, c)
		}
		if v.bare == strings.Contains(c, "data_dir /folder/data") {
			t.Errorf("%s:\n%s", v.name, c)
		}
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-variants", "bare,other"}, {"-rounds", "0"}, {"-time", "1ms"}, {"-connections", "0"}, {"more"},
	} {
		if _, err := parseFlags(args, new(strings.Builder)); err == nil {
			t.Errorf("%q are taken", args)
		}
	}
	s, err := parseFlags(nil, new(strings.Builder))
	if err != nil || len(s.variants) != 4 || s.connections != 64 {
		t.Errorf("got %+v, %v", s, err)
	}
}
