package provision

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hookgate/hookgate/contract"
	"github.com/hookgate/hookgate/genesys"
)

// says is a Genesys Cloud that answers always the same.
type says string

func (s says) Send(_ context.Context, _ *genesys.Request, out any) error {
	return json.Unmarshal([]byte(s), out)
}

func TestASecretIsMaskedHoweverJSONWritesIt(t *testing.T) {
	c, err := contract.Builtin("pe-action-map")
	if err != nil {
		t.Fatal(err)
	}
	const secret = `a"secret\&<word>`
	for name, written := range map[string]string{
		"with the fewest escapes": `a\"secret\\&<word>`,
		"as Go writes it":         `a\"secret\\\u0026\u003cword\u003e`,
	} {
		t.Run(name, func(t *testing.T) {
			answer := says(`{"success":false,"operations":[{"name":"Execute","result":{"X-Edge-Token":"` + written + `"},"error":{"message":"sent ` + written + `"}}]}`)
			got, err := New(answer).test(t.Context(), &DataAction{Contract: c, Secret: secret}, genesys.Action{ID: "1"})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(got.Answer+got.Error, "word") || !strings.Contains(got.Answer, stars) || !strings.Contains(got.Error, stars) {
				t.Errorf("%+v", got)
			}
		})
	}
}
