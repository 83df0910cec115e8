package engine

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// explain turns a schema's verdict into fields of the request. The library's
// own messages repeat the value that was wrong, which may be a secret; these
// repeat only what the schema says.
func explain(err error, key string, p *problemFields) {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		p.add("params", "do not fit %s in engines.yaml", key)
		return
	}
	leaves(v, func(v *jsonschema.ValidationError) {
		at := locate(v.InstanceLocation)
		switch k := v.ErrorKind.(type) {
		case *kind.Required:
			for _, name := range k.Missing {
				p.add(at+"."+name, "is missing")
			}
		case *kind.AdditionalProperties:
			for _, name := range k.Properties {
				p.add(locate(append(append([]string{}, v.InstanceLocation...), name)), "is not a param of this engine (the key %s in engines.yaml)", key)
			}
		default:
			p.add(at, "%s (the key %s in engines.yaml)", demand(v.ErrorKind), key)
		}
	})
}

// leaves calls see for the errors that have no finer cause. The branches of
// anyOf and oneOf contradict each other, so those are reported as one.
func leaves(v *jsonschema.ValidationError, see func(*jsonschema.ValidationError)) {
	switch v.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.PropertyNames, *kind.Contains:
		see(v)
		return
	}
	if len(v.Causes) == 0 {
		see(v)
	}
	for _, c := range v.Causes {
		leaves(c, see)
	}
}

var (
	plainName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`) // of at most 64
	plainIndex = regexp.MustCompile(`^[0-9]+$`)
)

// locate writes ["tags","0"] as params.tags[0]. A name that is not plain may
// be anything, so it is left out.
func locate(path []string) string {
	var b strings.Builder
	b.WriteString("params")
	for _, s := range path {
		switch {
		case plainIndex.MatchString(s):
			b.WriteString("[" + s + "]")
		case len(s) <= 64 && plainName.MatchString(s):
			b.WriteString("." + s)
		default:
			return b.String()
		}
	}
	return b.String()
}

// demand says what the schema asks for.
func demand(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be of type " + strings.Join(k.Want, " or ")
	case *kind.Enum:
		list := make([]string, len(k.Want))
		for i, v := range k.Want {
			list[i] = text(v)
		}
		return "must be one of " + strings.Join(list, ", ")
	case *kind.Const:
		return "must be " + text(k.Want)
	case *kind.Format:
		return "must have the format " + k.Want
	case *kind.Pattern:
		return "must match the pattern " + k.Want
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items", k.Want)
	case *kind.UniqueItems:
		return "must not hold an item twice"
	case *kind.Minimum:
		return "must be at least " + k.Want.RatString()
	case *kind.Maximum:
		return "must be at most " + k.Want.RatString()
	case *kind.ExclusiveMinimum:
		return "must be above " + k.Want.RatString()
	case *kind.ExclusiveMaximum:
		return "must be below " + k.Want.RatString()
	case *kind.MultipleOf:
		return "must be a multiple of " + k.Want.RatString()
	}
	return "does not satisfy " + strings.Join(append([]string{"the schema's"}, k.KeywordPath()...), " ")
}
