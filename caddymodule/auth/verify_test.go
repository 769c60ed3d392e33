package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// header makes a header of names and values.
func header(pairs ...string) http.Header {
	h := make(http.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func mac(key, content string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(content))
	return m.Sum(nil)
}

func TestASecretHeaderIsCompared(t *testing.T) {
	v := &headerSecret{name: "x-edge-token", digests: [][sha256.Size]byte{sha256.Sum256([]byte("new")), sha256.Sum256([]byte("old"))}}
	for _, tc := range []struct {
		name   string
		header http.Header
		want   error
	}{
		{"the first secret passes", header("X-Edge-Token", "new"), nil},
		{"the second secret passes", header("X-Edge-Token", "old"), nil},
		{"another secret does not", header("X-Edge-Token", "other"), errCredentials},
		{"the beginning of a secret does not", header("X-Edge-Token", "ne"), errCredentials},
		{"more than a secret does not", header("X-Edge-Token", "newer"), errCredentials},
		{"another case does not", header("X-Edge-Token", "NEW"), errCredentials},
		{"nothing does not", header("X-Edge-Token", ""), errCredentials},
		{"no header does not", header(), errCredentials},
		{"another header does not", header("X-Other", "new"), errCredentials},
		{"the secret twice does not", header("X-Edge-Token", "new", "X-Edge-Token", "new"), errCredentials},
		{"a right and a wrong secret do not", header("X-Edge-Token", "new", "X-Edge-Token", "other"), errCredentials},
		{"both secrets in one do not", header("X-Edge-Token", "new, old"), errCredentials},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := v.verify(tc.header, nil, time.Time{}); !errors.Is(err, tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAHubSignatureIsChecked(t *testing.T) {
	const (
		secret = "0123456789abcdef"
		body   = `{"id":"1","text":"Hi"}`
		right  = "m3xi9rnG7PKCjmP7za3K53GhqinJWmvXCnFx8Lr20EQ=" // computed elsewhere
	)
	v := &hubSignature{keys: [][]byte{[]byte("another secret"), []byte(secret)}}
	digest := mac(secret, body)
	for _, tc := range []struct {
		name, body string
		header     http.Header
		want       error
	}{
		{"the known signature passes", body, header("X-Hub-Signature-256", "sha256="+right), nil},
		{"one with the other secret passes", body, header("X-Hub-Signature-256", "sha256="+base64.StdEncoding.EncodeToString(mac("another secret", body))), nil},
		{"one of an empty body passes", "", header("X-Hub-Signature-256", "sha256="+base64.StdEncoding.EncodeToString(mac(secret, ""))), nil},
		{"one with a third secret does not", body, header("X-Hub-Signature-256", "sha256="+base64.StdEncoding.EncodeToString(mac("third", body))), errCredentials},
		{"another body does not", body + " ", header("X-Hub-Signature-256", "sha256="+right), errCredentials},
		{"hexadecimal does not", body, header("X-Hub-Signature-256", "sha256="+hex.EncodeToString(digest)), errCredentials},
		{"base64 without padding does not", body, header("X-Hub-Signature-256", "sha256="+strings.TrimRight(right, "=")), errCredentials},
		{"bits behind the end do not", body, header("X-Hub-Signature-256", "sha256="+strings.Replace(right, "EQ=", "ER=", 1)), errCredentials},
		{"half a signature does not", body, header("X-Hub-Signature-256", "sha256="+base64.StdEncoding.EncodeToString(digest[:16])), errCredentials},
		{"an empty signature does not", body, header("X-Hub-Signature-256", "sha256="), errCredentials},
		{"no method does not", body, header("X-Hub-Signature-256", right), errCredentials},
		{"another method does not", body, header("X-Hub-Signature-256", "sha1="+right), errCredentials},
		{"the method in upper case does not", body, header("X-Hub-Signature-256", "SHA256="+right), errCredentials},
		{"the older header does not", body, header("X-Hub-Signature", "sha256="+right), errCredentials},
		{"no header does not", body, header(), errCredentials},
		{"the signature twice does not", body, header("X-Hub-Signature-256", "sha256="+right, "X-Hub-Signature-256", "sha256="+right), errCredentials},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := v.verify(tc.header, []byte(tc.body), time.Time{}); !errors.Is(err, tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The vector of the reference implementations of Standard Webhooks.
const (
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorTime   = "1614265330"
	vectorBody   = `{"test": 2432232314}`
	vectorRight  = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func TestAStandardWebhookIsChecked(t *testing.T) {
	key, err := standardKey(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	const wrong = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	v := &standardWebhooks{keys: [][]byte{[]byte("an older key, of 24 bytes"), key}}
	at := time.Unix(1614265330, 0)
	signed := func(id, stamp, signatures string) http.Header {
		return header("Webhook-Id", id, "Webhook-Timestamp", stamp, "Webhook-Signature", signatures)
	}
	sign := func(id, stamp string) http.Header {
		return signed(id, stamp, "v1,"+base64.StdEncoding.EncodeToString(mac(string(key), id+"."+stamp+"."+vectorBody)))
	}
	with := func(name string, values ...string) http.Header {
		h := signed(vectorID, vectorTime, vectorRight)
		h[name] = values
		return h
	}
	for _, tc := range []struct {
		name   string
		header http.Header
		now    time.Time
		want   error
	}{
		{"the known signature passes", signed(vectorID, vectorTime, vectorRight), at, nil},
		{"one of several passes", signed(vectorID, vectorTime, wrong+" "+vectorRight), at, nil},
		{"the first of several passes", signed(vectorID, vectorTime, vectorRight+" "+wrong), at, nil},
		{"one beside other versions passes", signed(vectorID, vectorTime, "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5B v2,x "+vectorRight), at, nil},
		{"one of eight passes", signed(vectorID, vectorTime, strings.Repeat(wrong+" ", 7)+vectorRight), at, nil},
		{"one of nine does not", signed(vectorID, vectorTime, strings.Repeat(wrong+" ", 8)+vectorRight), at, errCredentials},
		{"one behind one that is not base64 passes", signed(vectorID, vectorTime, "v1,!! "+vectorRight), at, nil},
		{"a wrong signature does not", signed(vectorID, vectorTime, wrong), at, errCredentials},
		{"another version does not", signed(vectorID, vectorTime, strings.Replace(vectorRight, "v1", "v2", 1)), at, errCredentials},
		{"a signature without version does not", signed(vectorID, vectorTime, strings.TrimPrefix(vectorRight, "v1,")), at, errCredentials},
		{"signatures joined by a comma do not", signed(vectorID, vectorTime, wrong+","+vectorRight), at, errCredentials},
		{"hexadecimal does not", signed(vectorID, vectorTime, "v1,"+hex.EncodeToString(mac(string(key), vectorID+"."+vectorTime+"."+vectorBody))), at, errCredentials},
		{"bits behind the end do not", signed(vectorID, vectorTime, strings.Replace(vectorRight, "OE=", "OF=", 1)), at, errCredentials},
		{"no signature does not", signed(vectorID, vectorTime, ""), at, errCredentials},
		{"another ID does not", signed("msg_other", vectorTime, vectorRight), at, errCredentials},
		{"another time does not", signed(vectorID, "1614265331", vectorRight), at, errCredentials},
		{"five minutes later passes", signed(vectorID, vectorTime, vectorRight), at.Add(5 * time.Minute), nil},
		{"five minutes earlier passes", signed(vectorID, vectorTime, vectorRight), at.Add(-5 * time.Minute), nil},
		{"more than five minutes later is stale", signed(vectorID, vectorTime, vectorRight), at.Add(5*time.Minute + time.Nanosecond), errStale},
		{"more than five minutes earlier is stale", signed(vectorID, vectorTime, vectorRight), at.Add(-5*time.Minute - time.Nanosecond), errStale},
		{"a wrong signature is wrong before it is stale", signed(vectorID, vectorTime, wrong), at.Add(time.Hour), errCredentials},
		{"a signed time in milliseconds is stale", sign(vectorID, vectorTime+"000"), at, errStale},
		{"the largest time is stale", sign(vectorID, "9223372036854775807"), at, errStale},
		{"a signed time beyond that does not pass", sign(vectorID, "9223372036854775808"), at, errCredentials},
		{"a signed time with a sign does not pass", sign(vectorID, "+"+vectorTime), at, errCredentials},
		{"a signed negative time does not pass", sign(vectorID, "-1"), at, errCredentials},
		{"a signed time with a fraction does not pass", sign(vectorID, vectorTime+".5"), at, errCredentials},
		{"a signed empty time does not pass", sign(vectorID, ""), at, errCredentials},
		{"a signed empty ID does not pass", sign("", vectorTime), at, errCredentials},
		{"a signed ID with a full stop does not pass", sign("msg.1", vectorTime), at, errCredentials},
		{"without an ID it does not", with("Webhook-Id"), at, errCredentials},
		{"without a time it does not", with("Webhook-Timestamp"), at, errCredentials},
		{"without signatures it does not", with("Webhook-Signature"), at, errCredentials},
		{"with two IDs it does not", with("Webhook-Id", vectorID, vectorID), at, errCredentials},
		{"with two times it does not", with("Webhook-Timestamp", vectorTime, vectorTime), at, errCredentials},
		{"with two fields of signatures it does not", with("Webhook-Signature", vectorRight, vectorRight), at, errCredentials},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := v.verify(tc.header, []byte(vectorBody), tc.now); !errors.Is(err, tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := v.verify(signed(vectorID, vectorTime, vectorRight), []byte(vectorBody+" "), at); !errors.Is(err, errCredentials) {
		t.Errorf("another body: %v", err)
	}
}

func TestSecretsOfStandardWebhooksAreBase64Of24To64Bytes(t *testing.T) {
	of := func(n int) string { return base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n))) }
	for _, tc := range []struct {
		name, secret string
		size         int // 0: refused
	}{
		{"24 bytes", "whsec_" + of(24), 24},
		{"64 bytes", "whsec_" + of(64), 64},
		{"without the prefix", of(32), 32},
		{"23 bytes", "whsec_" + of(23), 0},
		{"65 bytes", "whsec_" + of(65), 0},
		{"nothing but the prefix", "whsec_", 0},
		{"without padding", "whsec_" + strings.TrimRight(of(25), "="), 0},
		{"bits behind the end", "whsec_" + strings.Replace(of(25), "aw==", "ax==", 1), 0},
		{"the URL alphabet", "whsec_" + base64.URLEncoding.EncodeToString([]byte(strings.Repeat("\xff", 24))), 0},
		{"a line break within", "whsec_" + of(24)[:16] + "\n" + of(24)[16:], 0},
		{"a line break behind", "whsec_" + of(24) + "\n", 0},
		{"a space behind", "whsec_" + of(24) + " ", 0},
		{"the prefix in upper case", "WHSEC_" + of(24), 0},
		{"an asymmetric key", "whpk_" + of(32), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			key, err := standardKey(tc.secret)
			if len(key) != tc.size || (err == nil) != (tc.size > 0) {
				t.Errorf("got %d bytes, %v", len(key), err)
			}
			if err != nil && strings.Contains(err.Error(), of(16)[:20]) {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}
