package auth

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// hubHeader is where Open Messaging signs.
const hubHeader = "X-Hub-Signature-256"

// hubSignature checks X-Hub-Signature-256 as Genesys Cloud's Open Messaging
// sends it: the HMAC of the raw body in standard base64, and not in hexadecimal
// as others send under the same name.
// https://developer.genesys.cloud/commdigital/digital/openmessaging/validate
type hubSignature struct{ keys [][]byte }

func (*hubSignature) needsBody() bool   { return true }
func (*hubSignature) challenge() string { return `HubSignature realm="webhooks"` }

func (v *hubSignature) verify(h http.Header, body []byte, _ time.Time) error {
	value, _ := one(h, hubHeader)
	encoded, found := strings.CutPrefix(value, "sha256=")
	given, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !found || err != nil || !anyKey(v.keys, given, body) {
		return errCredentials
	}
	return nil
}
