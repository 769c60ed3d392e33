package simulate

import (
	"encoding/json"
	"io"
	"regexp"
	"time"
)

// reply is what became of one request: an answer, or an error in place of it.
type reply struct {
	latency time.Duration
	status  int
	code    string
	err     error
}

func (r reply) ok() bool { return r.err == nil && r.status/100 == 2 }

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// noCode stands for an answer without a code.
const noCode = "-"

// codePattern keeps a foreign receiver's texts out of the report.
var codePattern = regexp.MustCompile(`^[a-z0-9_]{1,40}$`)

// readCode returns the word that says what became of the event: the member
// `code` of a problem (RFC 9457), else the member `status` of a success, else
// "-".
func readCode(body io.Reader) string {
	data, _ := io.ReadAll(io.LimitReader(body, maxAnswer))
	var answer struct{ Code, Status any }
	if json.Unmarshal(data, &answer) != nil {
		return noCode
	}
	for _, member := range []any{answer.Code, answer.Status} {
		if word, ok := member.(string); ok && codePattern.MatchString(word) {
			return word
		}
	}
	return noCode
}
