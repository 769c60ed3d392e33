package contract

import (
	"crypto/sha256"

	"github.com/hookgate/hookgate/hook"
)

// fingerprint hashes a body less its volatile values. What is left between them
// is no JSON any more, so that it equals no other body.
func fingerprint(body []byte, volatile []span) hook.Fingerprint {
	if len(volatile) == 0 {
		return sha256.Sum256(body)
	}
	var (
		sum  = sha256.New()
		from int64
	)
	for _, v := range volatile {
		_, _ = sum.Write(body[from:v.from]) // never fails, see hash.Hash
		from = v.to
	}
	_, _ = sum.Write(body[from:])
	var fp hook.Fingerprint
	sum.Sum(fp[:0])
	return fp
}
