package state

import "tikakosh/internal/id"

// Departures are people who left, by keyed MAC of their tracking number; anchored.
const Departures Table = "departure"

// Left is the state of a person and member who left: hidden, the key kept until
// the law lets it be destroyed.
const Left = "left"

// Departure is one leave. State is one of vault.Leave…. Person and Household are
// emptied when the record is erased. Times are Unix milliseconds.
type Departure struct {
	Person    id.Person    `json:",omitempty"`
	Household id.Household `json:",omitempty"`
	State     string
	At        int64
	Undo      int64
	Erase     int64
}
