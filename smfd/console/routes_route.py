"""What can be asked of the way to the world."""

from smfd.console.router import Route
from smfd.control import route

ROUTES = (
    Route("GET", "/v1/route/{domain}", route.show),
    Route("POST", "/v1/route/{domain}", route.attempt),
)
