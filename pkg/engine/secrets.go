package engine

import (
	"go.yaml.in/yaml/v3"
)

// secretsNode is a list of names, or a mapping of names to where the value comes from.
type secretsNode []secret

const secretForms = "must be names such as [OPENAI_API_KEY], or NAME: {env: OTHER_NAME}, NAME: {file: path}, NAME: {optional: true}"

func (s *secretsNode) UnmarshalYAML(n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		return s.mapping(n)
	case yaml.SequenceNode:
		for _, c := range n.Content {
			switch {
			case c.Kind == yaml.ScalarNode && c.ShortTag() == "!!str":
				*s = append(*s, secret{name: c.Value, env: c.Value})
			case c.Kind == yaml.MappingNode:
				if err := s.mapping(c); err != nil {
					return err
				}
			default:
				return wrong(c, secretForms)
			}
		}
		return nil
	}
	return wrong(n, secretForms)
}

func (s *secretsNode) mapping(n *yaml.Node) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		one := secret{name: n.Content[i].Value}
		if err := one.decode(n.Content[i+1]); err != nil {
			return err
		}
		*s = append(*s, one)
	}
	return nil
}

func (s *secret) decode(n *yaml.Node) error {
	if n.ShortTag() != "!!null" && n.Kind != yaml.MappingNode {
		return wrong(n, secretForms)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value == "env" && value.ShortTag() == "!!str":
			s.env = value.Value
		case key.Value == "file" && value.ShortTag() == "!!str" && value.Value != "":
			s.file = value.Value
		case key.Value == "optional" && value.ShortTag() == "!!bool":
			if err := value.Decode(&s.optional); err != nil {
				return wrong(value, secretForms)
			}
		default:
			return wrong(key, "%s does not fit here: a secret %s", key.Value, secretForms)
		}
	}
	if s.env != "" && s.file != "" {
		return wrong(n, "gives the secret %s both env and file: keep one of them", s.name)
	}
	if s.env == "" && s.file == "" {
		s.env = s.name
	}
	return nil
}
