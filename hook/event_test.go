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
	if _, there := keys[ParkKey("h", "1", Fingerprint{1})]; !there {
		t.Error("one event has two keys")
	}
}

func TestTheKeyOfANamelessHookTellsResourcesApart(t *testing.T) {
	keys := map[string]string{}
	for name, key := range map[string]string{
		"a resource":                         ResourceKey("h", []string{"POST", "/a"}, "1"),
		"another path":                       ResourceKey("h", []string{"POST", "/b"}, "1"),
		"another method":                     ResourceKey("h", []string{"PUT", "/a"}, "1"),
		"another ID":                         ResourceKey("h", []string{"POST", "/a"}, "2"),
		"the same letters, parted elsewhere": ResourceKey("h", []string{"POST/", "a"}, "1"),
		"a part less":                        ResourceKey("h", []string{"POST"}, "/a1"),
		"no resource":                        ResourceKey("h", nil, "1"),
		"a hook with a name":                 EventKey("h", "1"),
	} {
		if other, there := keys[key]; there {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[key] = name
	}
	if _, there := keys[ResourceKey("h", []string{"POST", "/a"}, "1")]; !there {
		t.Error("one event has two keys")
	}
}
