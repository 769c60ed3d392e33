package hook

import "testing"

func TestTheKeyOfALetterTellsItFromOthers(t *testing.T) {
	a, b := Fingerprint{1}, Fingerprint{2}
	keys := map[string]string{}
	for name, key := range map[string]string{
		"an event":                            ParkKey("h", "1", a),
		"the same body under another ID":      ParkKey("h", "2", a),
		"another body under the same ID":      ParkKey("h", "1", b),
		"the same event on another hook":      ParkKey("g", "1", a),
		"the same body without an ID":         ParkKey("h", "", a),
		"another body without an ID":          ParkKey("h", "", b),
		"an ID that names the body's digest":  ParkKey("h", DigestID(a), a),
		"an ID that begins like the next one": ParkKey("h", "11", a),
		"the event's own key":                 EventKey("h", "1"),
	} {
		if other, there := keys[key]; there {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[key] = name
	}
	if ParkKey("h", "1", a) != ParkKey("h", "1", Fingerprint{1}) {
		t.Error("the same event has two keys")
	}
}
