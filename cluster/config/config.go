// Package config reads a program's configuration: the environment over a YAML
// file over defaults. A key that the program doesn't know is refused with the
// file, the key and what was expected, so that a typing error never becomes a
// silent default. It opens nothing but the file.
package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	yamlv3 "gopkg.in/yaml.v3"
)

// EnvPrefix begins every environment variable that is a key: the key
// "status.listen" is VEDETTA_STATUS_LISTEN.
const EnvPrefix = "VEDETTA_"

// Load reads path (none when empty) and the environment (as os.Environ gives
// it) over defaults. Fields carry a `koanf:"name"` tag.
func Load[T any](path string, environ []string, defaults T) (T, error) {
	cfg := defaults
	k := koanf.New(".")
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return cfg, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	known := keysOf(reflect.TypeOf(cfg), "")
	overlay, err := fromEnvironment(environ, known)
	if err != nil {
		return cfg, err
	}
	if err := k.Load(confmap.Provider(overlay, "."), nil); err != nil {
		return cfg, fmt.Errorf("configuration from the environment: %w", err)
	}
	err = k.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{
		Tag: "koanf",
		DecoderConfig: &mapstructure.DecoderConfig{
			TagName: "koanf", Result: &cfg, ErrorUnused: true, WeaklyTypedInput: true,
			DecodeHook: mapstructure.ComposeDecodeHookFunc(
				mapstructure.StringToTimeDurationHookFunc(),
				mapstructure.StringToSliceHookFunc(","),
			),
		},
	})
	if err != nil {
		return cfg, fmt.Errorf("configuration %s: %w; known keys: %s", path, err, strings.Join(known, " "))
	}
	return cfg, nil
}

// fromEnvironment turns VEDETTA_STATUS_LISTEN=x into status.listen: x.
func fromEnvironment(environ, known []string) (map[string]any, error) {
	byName := map[string]string{}
	for _, key := range known {
		byName[EnvPrefix+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))] = key
	}
	out := map[string]any{}
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, EnvPrefix) {
			continue
		}
		key, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("environment: %s is no key of this program; want %s and a key, as %sLOG_LEVEL", name, EnvPrefix, EnvPrefix)
		}
		out[key] = value
	}
	return out, nil
}

// keysOf lists the keys of a configuration struct that hold one value or a list.
func keysOf(t reflect.Type, prefix string) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("koanf"), ",")
		if name == "" {
			continue
		}
		if f.Type.Kind() == reflect.Struct {
			keys = append(keys, keysOf(f.Type, prefix+name+".")...)
			continue
		}
		keys = append(keys, prefix+name)
	}
	sort.Strings(keys)
	return keys
}

// Print writes cfg as YAML. Secrets are in files, so there is none to hide;
// a field tagged `secret:"true"` is shown as set or empty all the same.
func Print(w io.Writer, cfg any) error {
	enc := yamlv3.NewEncoder(w)
	enc.SetIndent(2)
	return errors.Join(enc.Encode(plain(reflect.ValueOf(cfg))), enc.Close())
}

func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("koanf"), ",")
			switch {
			case name == "":
			case f.Tag.Get("secret") != "":
				out[name] = map[bool]string{true: "", false: "(set, hidden)"}[v.Field(i).IsZero()]
			default:
				out[name] = plain(v.Field(i))
			}
		}
		return out
	case reflect.Slice:
		out := make([]any, 0, v.Len())
		for i := range v.Len() {
			out = append(out, plain(v.Index(i)))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = plain(v.MapIndex(k))
		}
		return out
	default:
		if s, ok := v.Interface().(fmt.Stringer); ok {
			return s.String()
		}
		return v.Interface()
	}
}

// Problem is a value that cannot be used: Key is where it stands.
type Problem struct{ Key, Want string }

func (p Problem) Error() string { return fmt.Sprintf("key %s: want %s", p.Key, p.Want) }

// Problems joins what a Validate found, with the file they stand in; nil when
// there is none.
func Problems(path string, found []Problem) error {
	errs := make([]error, 0, len(found))
	for _, p := range found {
		errs = append(errs, fmt.Errorf("configuration %s: %w", path, p))
	}
	return errors.Join(errs...)
}

// Secret reads a secret from its file, without the final line break.
func Secret(key, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("key %s: %w", key, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
