package command

import "fmt"

// ExitError is returned by a command that ends the program with a given exit
// code.
type ExitError struct {
	Code int   // 1: it ran, and the result is bad; 2: the command line is wrong; 3: it did a part of its work
	Err  error // what the user reads; nil for nothing
}

// Error implements error.
func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *ExitError) Unwrap() error { return e.Err }
