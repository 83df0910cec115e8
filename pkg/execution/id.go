package execution

import (
	"crypto/rand"
	"math/big"
	"regexp"
	"strconv"
	"time"
)

// ID names one execution: "exec_<unix milliseconds>_<9 characters of base 36>".
// It sorts by time of creation and carries no other meaning.
type ID string

// idPattern admits longer numbers than today's so that no id ever becomes invalid.
var idPattern = regexp.MustCompile(`^exec_[0-9]{1,17}_[0-9a-z]{9}$`)

// idSpace is 36^9, about 1.0e14: two ids of the same millisecond collide with
// a chance of one in a hundred trillion.
var idSpace = new(big.Int).Exp(big.NewInt(36), big.NewInt(9), nil)

// NewID makes an id for an execution accepted at now. It panics only where the
// kernel has no randomness, as crypto/rand itself does.
func NewID(now time.Time) ID {
	n, err := rand.Int(rand.Reader, idSpace)
	if err != nil {
		panic("execution: no randomness: " + err.Error())
	}
	s := n.Text(36)
	const zeros = "000000000"
	return ID("exec_" + strconv.FormatInt(now.UnixMilli(), 10) + "_" + zeros[len(s):] + s)
}

// ParseID accepts exactly what NewID makes.
func ParseID(s string) (ID, error) {
	if !idPattern.MatchString(s) {
		return "", &Error{Code: NotFound, Message: "no such execution: an id looks like exec_1762548673499_vqx7d3cpo"}
	}
	return ID(s), nil
}
