package contract

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMembersComeInTheOrderOfTheSchemaAndThenByName(t *testing.T) {
	c, err := Parse("test", []byte(`{"x-hookgate":{"name":"test","version":1,"event_id":["/id","/b/c"]},
		"type":"object","required":["z","id"],"$defs":{"text":{"type":"string"}},
		"properties":{"b":{"type":"object"},"a":{"type":["integer","null"]},"id":{"$ref":"#/$defs/text"},
			"z":{"type":"string","format":"date-time"},"free":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{
		{Name: "z", Types: []string{"string"}, Format: "date-time", Required: true},
		{Name: "id", Types: []string{"string"}, Required: true, EventID: true},
		{Name: "a", Types: []string{"null", "integer"}},
		{Name: "b", Types: []string{"object"}},
		{Name: "free"},
	}
	if diff := cmp.Diff(want, c.Members()); diff != "" {
		t.Error(diff)
	}
	if None().Members() != nil {
		t.Error("no contract has members")
	}
}
