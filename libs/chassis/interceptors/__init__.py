"""What happens around every call, one matter a file; `libs.chassis.server` puts them in order."""
