package auth

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A signature passes where it is that of one of the keys, in its one form, and
// nowhere else.
func FuzzHubSignature(f *testing.F) {
	const first, second = "0123456789abcdef", "fedcba9876543210"
	v := &hubSignature{keys: [][]byte{[]byte(first), []byte(second)}}
	sign := func(key, body string) string {
		return "sha256=" + base64.StdEncoding.EncodeToString(mac(key, body))
	}
	for _, body := range []string{"", "{}", "\xff\x00"} {
		for _, key := range []string{first, second, "another"} {
			f.Add(sign(key, body), body)
			f.Add(strings.ToUpper(sign(key, body)), body)
			f.Add(strings.TrimRight(sign(key, body), "="), body)
			f.Add(strings.TrimPrefix(sign(key, body), "sha256="), body)
		}
	}
	f.Add("sha256=", "")
	f.Add("sha256=====", "x")
	f.Fuzz(func(t *testing.T, value, body string) {
		if strings.ContainsAny(value, "\r\n") {
			return // in no header field
		}
		want := value == sign(first, body) || value == sign(second, body)
		err := v.verify(header(hubHeader, value), []byte(body), time.Time{})
		if (err == nil) != want || err != nil && !errors.Is(err, errCredentials) {
			t.Errorf("%q of %q: %v", value, body, err)
		}
	})
}

// The same of Standard Webhooks, which sign an ID and a time as well.
func FuzzStandardWebhooks(f *testing.F) {
	const first, second = "0123456789abcdef01234567", "76543210fedcba9876543210"
	v := &standardWebhooks{keys: [][]byte{[]byte(first), []byte(second)}}
	now := time.Unix(1_780_000_000, 0)
	sign := func(key, id, stamp, body string) string {
		return "v1," + base64.StdEncoding.EncodeToString(mac(key, id+"."+stamp+"."+body))
	}
	stamp := strconv.FormatInt(now.Unix(), 10)
	for _, body := range []string{"", "{}", "1.{}"} {
		right := sign(first, "msg_1", stamp, body)
		for _, list := range []string{right, "v1a,x " + right, right + " ", strings.Repeat(right+" ", 8), "v1," + right, right[3:], sign(second, "msg_1", stamp, body)} {
			f.Add("msg_1", stamp, list, body)
		}
		f.Add("msg_1."+stamp, "1", right, body)
		f.Add("", stamp, sign(first, "", stamp, body), body)
		for _, at := range []string{"0", "00", "-1", "+1780000000", "1780000301", "1779999699", "9223372036854775807", "18446744073709551615", "1.78e9"} {
			f.Add("msg_1", at, sign(first, "msg_1", at, body), body)
		}
	}
	f.Fuzz(func(t *testing.T, id, stamp, list, body string) {
		if strings.ContainsAny(id+stamp+list, "\r\n") {
			return // in no header field
		}
		err := v.verify(header(standardID, id, standardTime, stamp, standardHeader, list), []byte(body), now)
		signatures := strings.Split(list, " ")
		signed := slices.Contains(signatures, sign(first, id, stamp, body)) || slices.Contains(signatures, sign(second, id, stamp, body))
		seconds, bad := strconv.ParseUint(stamp, 10, 63)
		whole := id != "" && !strings.Contains(id, ".") && len(signatures) <= maxSignatures && bad == nil
		near := max(seconds, uint64(now.Unix()))-min(seconds, uint64(now.Unix())) <= uint64(tolerance/time.Second)
		switch {
		case signed && whole && near:
			if err != nil {
				t.Errorf("a good one: %v", err)
			}
		case signed && whole:
			if !errors.Is(err, errStale) {
				t.Errorf("one of another time: %v", err)
			}
		case !errors.Is(err, errCredentials):
			t.Errorf("id %q, time %q, %q: %v", id, stamp, list, err)
		}
	})
}
