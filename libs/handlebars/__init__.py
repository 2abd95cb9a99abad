"""Message templates: an exact Handlebars with Pinpoint's functions, compiled to Python."""

from libs.handlebars.errors import RenderError, RenderLimitError, TemplateSyntaxError
from libs.handlebars.json_text import texts_of, with_texts
from libs.handlebars.layers import FlatLayer, LayeredResolver, Layers, TreeLayer
from libs.handlebars.runtime import Limits
from libs.handlebars.template import Template, compile_template
from libs.handlebars.values import Resolve, Values

__all__ = [
    "FlatLayer",
    "LayeredResolver",
    "Layers",
    "Limits",
    "RenderError",
    "RenderLimitError",
    "Resolve",
    "Template",
    "TemplateSyntaxError",
    "TreeLayer",
    "Values",
    "compile_template",
    "texts_of",
    "with_texts",
]
