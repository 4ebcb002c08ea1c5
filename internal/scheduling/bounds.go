package scheduling

// MaxSlots and MaxCapacity bound a session's slots and the places of one pool.
const (
	MaxSlots    = maxSlots
	MaxCapacity = maxCap
)

// ZoneKnown reports whether a name is an IANA time zone of this machine's data.
func ZoneKnown(name string) bool { return zoneKnown(name) }
