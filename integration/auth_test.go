package integration

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func mac(secret []byte, content string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(content))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func TestCredentialsAreChecked(t *testing.T) {
	secrets := t.TempDir()
	standard := []byte(strings.Repeat("k", 32))
	for name, value := range map[string]string{
		"new": "new-secret", "old": "old-secret", "om": "0123456789abcdef",
		"std": "whsec_" + base64.StdEncoding.EncodeToString(standard),
	} {
		if err := os.WriteFile(filepath.Join(secrets, name), []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, site(strings.ReplaceAll(`	genesys_webhook /header {
		name header
		timeout 5s
		auth header X-Edge-Token {file.SECRETS/new} {file.SECRETS/old}
	}
	genesys_webhook /hub {
		name hub
		timeout 5s
		auth hub_signature {file.SECRETS/om}
	}
	genesys_webhook /standard {
		name standard
		timeout 5s
		auth standard_webhooks {file.SECRETS/std}
	}
	genesys_webhook /both {
		name both
		timeout 5s
		auth header X-Edge-Token {file.SECRETS/new}
		auth hub_signature {file.SECRETS/om}
	}`, "SECRETS", secrets)))

	body := payload("auth")
	signature := "sha256=" + mac([]byte("0123456789abcdef"), body)
	signed := func(at time.Time) []string {
		stamp := fmt.Sprint(at.Unix())
		return []string{"Webhook-Id", "m1", "Webhook-Timestamp", stamp, "Webhook-Signature", "v1," + mac(standard, "m1."+stamp+"."+body)}
	}
	for _, tc := range []struct {
		name, path string
		header     []string
		status     int
		code       string
	}{
		{"the new secret passes", "/header", []string{"X-Edge-Token", "new-secret"}, 202, "accepted"},
		{"the old secret passes", "/header", []string{"X-Edge-Token", "old-secret"}, 200, "duplicate"},
		{"a wrong secret", "/header", []string{"X-Edge-Token", "wrong"}, 401, "unauthorized"},
		{"no secret", "/header", nil, 401, "unauthorized"},
		{"a right signature passes", "/hub", []string{"X-Hub-Signature-256", signature}, 202, "accepted"},
		{"a signature of another body", "/hub", []string{"X-Hub-Signature-256", "sha256=" + mac([]byte("0123456789abcdef"), "x")}, 401, "unauthorized"},
		{"a signature with another secret", "/hub", []string{"X-Hub-Signature-256", "sha256=" + mac([]byte("x"), body)}, 401, "unauthorized"},
		{"no signature", "/hub", nil, 401, "unauthorized"},
		{"a standard webhook passes", "/standard", signed(time.Now()), 202, "accepted"},
		{"an old standard webhook", "/standard", signed(time.Now().Add(-time.Hour)), 401, "stale"},
		{"a standard webhook without signature", "/standard", nil, 401, "unauthorized"},
		{"both, with one missing", "/both", []string{"X-Edge-Token", "new-secret"}, 401, "unauthorized"},
		{"both", "/both", []string{"X-Edge-Token", "new-secret", "X-Hub-Signature-256", signature}, 202, "accepted"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, err := send(httpClient, s.URL(tc.path), strings.NewReader(body), tc.header...)
			if err != nil || a.status != tc.status || a.code() != tc.code {
				t.Errorf("got %d %s, %v", a.status, a.raw, err)
			}
			if tc.status == 401 && a.header.Get("WWW-Authenticate") == "" {
				t.Error("no WWW-Authenticate")
			}
		})
	}

	stdout, stderr, code := command(t, "adapt", "--config", filepath.Join(s.Dir, "Caddyfile"), "--adapter", "caddyfile")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, secret := range []string{"new-secret", "old-secret", "0123456789abcdef"} {
		if strings.Contains(stdout, secret) || strings.Contains(s.Log.String(), secret) {
			t.Error("a secret is in the adapted config or in the log")
		}
	}
}

func TestAnOldEventIsRefusedWhereTheHookSaysSo(t *testing.T) {
	s := start(t, site(patientHook("max_event_age 1h")))
	at := func(when time.Time) string {
		return strings.Replace(payload(fmt.Sprint(when.Unix())), "2024-05-14T18:32:11.450Z", when.UTC().Format(time.RFC3339Nano), 1)
	}
	if a := s.post(at(time.Now().Add(-time.Minute))); a.status != 202 {
		t.Errorf("a new event: %s", a.raw)
	}
	for name, when := range map[string]time.Time{"old": time.Now().Add(-2 * time.Hour), "future": time.Now().Add(time.Hour)} {
		if a := s.post(at(when)); a.status != 401 || a.code() != "stale" {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
}
