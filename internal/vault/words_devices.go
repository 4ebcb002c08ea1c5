package vault

// The states of a device of a household.
const (
	DeviceTrusted = "trusted"
	DeviceWaiting = "waiting"
)

// The states of a household's PIN.
const (
	PINNone   = "none"
	PINSet    = "set"
	PINLocked = "locked"
	PINEnding = "ending"
	PINComing = "coming"
)

// Device is one way in which a household signs in. Kind is "device" (a key of its own),
// "client" (none) or "partner". Times are Unix milliseconds; Last is exact to a week.
type Device struct {
	ID    string
	Kind  string
	State string
	Since int64
	Last  int64
	Until int64 // of a waiting one: when it is trusted by itself; 0: it is not, there is a PIN
	This  bool  // it is the one that asks
}

// DeviceList is what a holder sees of it. A session that waits sees itself alone. Other says
// that there is another channel to confirm by; Ends, of a PIN that is being taken away, when
// it goes, From, of one that was set by less than a device of a day, when it comes (Unix
// milliseconds).
type DeviceList struct {
	Waiting bool
	Other   bool
	PIN     string
	Ends    int64 `json:",omitempty"`
	From    int64 `json:",omitempty"`
	Devices []Device
}

// DeviceEndRequest ends a device, and its sessions with it.
type DeviceEndRequest struct {
	Holder Holder
	ID     string
}

// DeviceCodeRequest asks for a code to the household's other channel, which confirms the
// device that asks. Language is that of the message.
type DeviceCodeRequest struct {
	Holder   Holder
	Language string
}

// DeviceAnswer is the answer to that code: lower-case hex SHA-256 of its digits.
type DeviceAnswer struct {
	Holder Holder
	Txn    string
	Digest string
}

// PINRequest sets a household's PIN; Old is the one it has.
type PINRequest struct {
	Holder Holder
	PIN    string
	Old    string `json:",omitempty"`
}

// PINAnswer gives a household's PIN: to confirm the device that asks or, on a number that
// was idle, to get the household back that it led to.
type PINAnswer struct {
	Holder Holder
	PIN    string
}

// PINEndRequest takes a household's PIN away: at once when it is given or a card was shown
// in this session, else a day later.
type PINEndRequest struct {
	Holder Holder
	PIN    string `json:",omitempty"`
}

// PINEnded says when the PIN goes (Unix milliseconds); 0: it is gone.
type PINEnded struct{ Ends int64 }
