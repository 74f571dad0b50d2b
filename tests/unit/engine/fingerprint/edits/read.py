"""Docstrings and annotations that somebody reads: prompts, descriptions, types that are checked."""

from __future__ import annotations

from tests.unit.engine.fingerprint.edits.edit import edit

DOCSTRINGS = [
    edit("own docstring that is read", """
        def fn(x):
            '''«Rate → Translate» this.'''
            return fn.__doc__
    """),
    edit("helper's docstring that is read", """
        def h(x):
            '''«Rate → Translate» this.'''
        def fn(x): return h.__doc__
    """),
    edit("docstring that getdoc reads", """
        import inspect
        def h(x):
            '''«Rate → Translate» this.'''
        def fn(x): return inspect.getdoc(h)
    """),
    edit("docstring that a helper reads", """
        def prompt(f): return f.__doc__
        def h(x):
            '''«Rate → Translate» this.'''
        def fn(x): return prompt(h)
    """),
    edit("docstrings of a table that are read", """
        import inspect
        def h(x):
            '''«Rate → Translate» this.'''
        TOOLS = [h]
        def fn(x): return [inspect.getdoc(tool) for tool in TOOLS]
    """),
    edit("docstring that a library reads", """
        import pydoc
        def h(x):
            '''«Rate → Translate» this.'''
        def fn(x): return pydoc.plain(pydoc.render_doc(h))
    """),
    edit("docstring that an own module reads", """
        from other import prompt
        def h(x):
            '''«Rate → Translate» this.'''
        def fn(x): return prompt(h)
        --- other.py
        import inspect
        def prompt(f): return inspect.getdoc(f)
    """),
    edit("docstring that was read", """
        def h(x):
            '''«Rate → Translate» this.'''
        PROMPT = h.__doc__
        def fn(x): return PROMPT
    """),
    edit("docstring that a decorator reads", """
        def prompted(f): return lambda x: f.__doc__
        @prompted
        def fn(x):
            '''«Rate → Translate» this.'''
    """),
    edit("docstring of a decorated function", """
        import functools
        def plain(f):
            @functools.wraps(f)
            def inner(x): return f(x), inner.__doc__
            return inner
        @plain
        def fn(x):
            '''«Rate → Translate» this.'''
            return x
    """),
    edit("docstring of a function in lru_cache", """
        import functools
        @functools.lru_cache
        def fn(x):
            '''«Rate → Translate» this.'''
            return fn.__doc__
    """),
    edit("docstring of a class that is read", """
        class C:
            '''«Rate → Translate» this.'''
        def fn(x): return C.__doc__
    """),
    edit("docstring of an object's class that is read", """
        class C:
            '''«Rate → Translate» this.'''
        M = C()
        def fn(x): return M.__doc__
    """),
    edit("docstring of a method that is read", """
        class C:
            def run(self, x):
                '''«Rate → Translate» this.'''
        def fn(x): return C.run.__doc__
    """),
    edit("docstring of a method that reads it", """
        class C:
            def run(self, x):
                '''«Rate → Translate» this.'''
                return type(self).run.__doc__
        def fn(x): return C().run(x)
    """),
    edit("docstring of a module that is read", """
        '''«Rate → Translate» this.'''
        def fn(x): return __doc__
    """),
    edit("docstring of an own module that is read", """
        import other
        def fn(x): return other.__doc__
        --- other.py
        '''«Rate → Translate» this.'''
    """),
    edit("docstring that was set", """
        def h(x): ...
        h.__doc__ = '«Rate → Translate» this.'
        def fn(x): return h.__doc__
    """),
    edit("text that is no docstring", """
        def fn(x):
            y = '''«Rate → Translate» this.'''
            return y
    """),
]  # fmt: skip

ANNOTATIONS = [
    edit("own annotation that is read", """
        def fn(x: «int → str»): return str(fn.__annotations__)
    """),
    edit("helper's annotation that is read", """
        def h(x: «int → str»): ...
        def fn(x): return str(h.__annotations__)
    """),
    edit("annotation that get_type_hints reads", """
        import typing
        def h(x) -> «int → str»: ...
        def fn(x): return str(typing.get_type_hints(h))
    """),
    edit("annotation that a signature shows", """
        import inspect
        def h(x: «int → str»): ...
        def fn(x): return str(inspect.signature(h))
    """),
    edit("annotation that a decorator reads", """
        def checked(f):
            kind = f.__annotations__['x']
            return lambda x: kind(f(x))
        @checked
        def fn(x: «int → float»): return x
    """),
    edit("annotation that a decorator reads late", """
        import functools
        def checked(f):
            @functools.wraps(f)
            def inner(x): return f.__annotations__['return'](f(x))
            return inner
        @checked
        def fn(x) -> «int → float»: return x
    """),
    edit("annotation that a library's decorator reads", """
        import pydantic
        @pydantic.validate_call
        def h(x: «int → str»): return x
        def fn(x): return h('3')
    """),
    edit("annotation that a library reads", """
        import pydantic
        def h(x: «int → float»): return x
        def fn(x): return pydantic.TypeAdapter(h).validate_python(__import__('pydantic_core').ArgsKwargs((x,)))
    """),
    edit("annotations of a table that are read", """
        def h(x: «int → float»): ...
        TOOLS = {'h': h}
        def fn(x): return TOOLS['h'].__annotations__['x'](x)
    """),
    edit("annotation of a method that is read", """
        class C:
            def run(self, x: «int → float»): ...
        def fn(x): return C.run.__annotations__['x'](x)
    """),
    edit("annotation of a class that is read", """
        class C:
            a: «int → float»
        def fn(x): return C.__annotations__['a'](x)
    """),
    edit("annotated limit that is read", """
        from typing import Annotated, get_type_hints
        def h(x: Annotated[int, «1 → 2»]): ...
        def fn(x): return get_type_hints(h, include_extras=True)['x'].__metadata__
    """),
    edit("class behind an annotation that is read", """
        class A:
            rate = «1 → 2»
        def h(x: A): ...
        def fn(x): return h.__annotations__['x'].rate
    """),
    edit("text of an annotation that is read", """
        def h(x: 'the «first → second» name'): ...
        def fn(x): return h.__annotations__['x']
    """),
]  # fmt: skip

MUST_CHANGE = [*DOCSTRINGS, *ANNOTATIONS]
