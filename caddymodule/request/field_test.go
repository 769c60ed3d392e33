package request

import "testing"

func TestANameOfAHeaderFieldIsChecked(t *testing.T) {
	for name, good := range map[string]bool{
		"Idempotency-Key":   true,
		"x-id":              true,
		"X!#$%&'*+^`|~9":    true,
		"":                  false,
		"X Id":              false,
		"X-Id:":             false,
		"X-Id\n":            false,
		"{env.NAME}":        false,
		"Schlüssel":         false,
		"X_Id":              false,
		"X.Id":              false,
		"webhook-id":        true,
		"Idempotency\x00Id": false,
	} {
		if err := CheckFieldName(name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}
