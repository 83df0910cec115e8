// Package app puts the parts together: what the binaries run, in which order it
// starts, and in which order it stops. It is the only package that knows all
// the others, and holds no logic of its own.
package app
