package vault

// Department is an identity provider that staff sign in at (ADR 37): what the web role
// needs to show it and to exchange a code there. Names by language: en, hi.
type Department struct {
	ID       string
	Names    map[string]string
	Issuer   string
	Client   string
	Token    string // address of the token endpoint
	Redirect string // where browsers come back
}

// Departments are those in force.
type Departments struct{ List []Department }

// DepartmentRequest is what the operator asks about one. Config is its file.
type DepartmentRequest struct {
	ID     string
	Config []byte
}

// DepartmentState is a department as the operator sees it. InForce and Waiting are
// digests of configurations, "" where there is none; Proposal is what the second person
// approves, from From on (Unix milliseconds).
type DepartmentState struct {
	ID       string
	Name     string
	Issuer   string
	InForce  string
	Waiting  string
	Proposal string
	From     int64
	Since    int64
	Ended    int // sessions that ended by it
	Members  int // members who were disabled by it
}

// DepartmentStates answers every request of the operator's about departments.
type DepartmentStates struct {
	List     []DepartmentState
	Receipts []string
}

// StaffSync is a department's word on who works there, by the subjects of its tokens.
// Whole: whoever is not in Stay has left. Many lets it disable more than half of the
// members there are.
type StaffSync struct {
	Department string
	Left       []string
	Stay       []string
	Whole      bool
	Many       bool
}

// MaxSync bounds the subjects of one StaffSync.
const MaxSync = 50000

// StaffSynced says what a StaffSync did.
type StaffSynced struct {
	Disabled int // members
	Back     int // members who may sign in again
	Ended    int // sessions
	Receipts []string
}
