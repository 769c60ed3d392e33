package deadletter

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var (
	errNotPatch  = errors.New("the patch is not a JSON object with each name once")
	errNotObject = errors.New("the body is not a JSON object: it cannot be patched, give a whole one")
)

// mergePatch applies a JSON Merge Patch (RFC 7396) to an object. What the patch
// does not name stays as it is written; new members come last.
func mergePatch(body, patch []byte) ([]byte, error) {
	if !isObject(patch) {
		return nil, errNotPatch
	}
	if !isObject(body) {
		return nil, errNotObject
	}
	return mergeObject(body, patch)
}

func isObject(v jsontext.Value) bool { return v.IsValid() && v.Kind() == '{' }

// mergeObject applies a patch to an object; both are valid.
func mergeObject(body, patch jsontext.Value) (jsontext.Value, error) {
	changes, names, err := members(patch)
	if err != nil {
		return nil, err
	}
	old, oldNames, err := members(body)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := jsontext.NewEncoder(&out, jsontext.PreserveRawStrings(true))
	_ = enc.WriteToken(jsontext.BeginObject) // into memory, and in order: it cannot fail
	write := func(name string, v jsontext.Value) error {
		return errors.Join(enc.WriteToken(jsontext.String(name)), enc.WriteValue(v))
	}
	for _, name := range oldNames {
		v, change := old[name], changes[name]
		switch {
		case change == nil:
		case change.Kind() == 'n':
			continue
		default:
			if v, err = merged(v, change); err != nil {
				return nil, err
			}
		}
		if err := write(name, v); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		if old[name] != nil || changes[name].Kind() == 'n' {
			continue
		}
		v, err := merged(jsontext.Value("{}"), changes[name])
		if err != nil {
			return nil, err
		}
		if err := write(name, v); err != nil {
			return nil, err
		}
	}
	if err := enc.WriteToken(jsontext.EndObject); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

// merged returns what becomes of a member that a patch changes.
func merged(old, change jsontext.Value) (jsontext.Value, error) {
	if change.Kind() != '{' {
		return change, nil
	}
	if old.Kind() != '{' {
		old = jsontext.Value("{}")
	}
	return mergeObject(old, change)
}

// members returns those of an object, and their names in order.
func members(object jsontext.Value) (byName map[string]jsontext.Value, names []string, err error) {
	if err := json.Unmarshal(object, &byName); err != nil {
		return nil, nil, errNotPatch
	}
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	_, err = dec.ReadToken()
	for err == nil && dec.PeekKind() == '"' {
		var name jsontext.Token
		if name, err = dec.ReadToken(); err == nil {
			names = append(names, name.String())
			err = dec.SkipValue()
		}
	}
	return byName, names, err
}
