"""Every operation, with every id in it replaced by another project's: the answer is that of an id that names nothing.

``cases`` says how each operation is called rightly, ``seeds`` fills projects with one object of every kind,
``places`` finds where ids stand in a call, ``actors`` are those who try. An operation of the OpenAPI document
without a case fails, and so does an id in it that its case leaves out.
"""
