package notify

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// isRegisterID takes the ids that India's registers (TRAI's DLT) give to
// entities and templates: 19 digits, of some registers fewer.
func isRegisterID(s string) bool { return len(s) >= 15 && len(s) <= 19 && only(s, "0123456789") }

// checkDLT refuses ids that no register gives: an operator who mixes up two
// columns would otherwise learn it from messages that nobody gets.
func (r *Route) checkDLT() error {
	if r.EntityID != "" && !isRegisterID(r.EntityID) {
		return badRoutes("route %s: entity_id is the 15 to 19 digits of the register (DLT)", r.Name)
	}
	if r.EntityID == "" && len(r.TemplateIDs) > 0 {
		return badRoutes("route %s: template_ids are of no use without entity_id", r.Name)
	}
	used := map[string]string{}
	for name, ids := range r.TemplateIDs {
		if _, known := templates()[name]; !known {
			return badRoutes("route %s: there is no message template %q", r.Name, name)
		}
		for language, id := range ids {
			if language != "en" && language != "hi" && language != "ur" {
				return badRoutes("route %s: template_ids of %s are by language, en, hi and ur", r.Name, name)
			}
			if !isRegisterID(id) {
				return badRoutes("route %s: template_ids of %s in %s is not the 15 to 19 digits of the register (DLT)", r.Name, name, language)
			}
			if other := used[id]; other != "" {
				return badRoutes("route %s: %s and %s have the same template id; each text is registered by itself", r.Name, min(other, name+" in "+language), max(other, name+" in "+language))
			}
			used[id] = name + " in " + language
		}
	}
	return nil
}

// Unregistered lists, for each SMPP route with an entity id, the messages that
// have no template id there, as "template in language": gateways in India drop
// them. A route without an entity id is not India's and has none.
func (c Routes) Unregistered() map[string][]string {
	out := map[string][]string{}
	for _, r := range c.Routes {
		if r.EntityID == "" {
			continue
		}
		for name, t := range templates() {
			for _, language := range []string{"en", "hi", "ur"} {
				if r.TemplateIDs[name][language] == "" && !t.emailOnly && (language != "ur" || t.ur != "") {
					out[r.Name] = append(out[r.Name], name+" in "+language)
				}
			}
		}
		slices.Sort(out[r.Name])
	}
	return out
}

// Registration is one text as a register wants it.
type Registration struct{ Template, Language, Text string }

// Registrations are the texts of every short message with {#var#} for its
// places, in the order of their names: what an operator registers to get the
// template ids.
func Registrations() []Registration {
	place := regexp.MustCompile(`\{[a-z]+\}`)
	var out []Registration
	for name, t := range templates() {
		if t.emailOnly {
			continue
		}
		for language, text := range map[string]string{"en": t.en, "hi": t.hi, "ur": t.ur} {
			if text == "" {
				continue
			}
			if name == "code" {
				text += "\n\n@{host} #{code}"
			}
			out = append(out, Registration{name, language, strings.ReplaceAll(place.ReplaceAllString(text, "{#var#}"), "\n", "\\n")})
		}
	}
	slices.SortFunc(out, func(a, b Registration) int {
		return cmp.Or(cmp.Compare(a.Template, b.Template), cmp.Compare(a.Language, b.Language))
	})
	return out
}
