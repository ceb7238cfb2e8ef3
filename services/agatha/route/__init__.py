"""Which analyses accept a series: header score first, the measured blood pool has the last word."""

from agatha.route.analyses import AnalysisDecision, decide_analyses
from agatha.route.decision import RouteDecision
from agatha.route.kind import route_series
from agatha.route.screening import screen_header

__all__ = ["AnalysisDecision", "RouteDecision", "decide_analyses", "route_series", "screen_header"]
