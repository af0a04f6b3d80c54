//! `#[derive(Record)]` and `#[derive(FromRow)]`: the traits of `ledgerbell_core::primitives::record`.
//!
//! Each field is a column of its name. The attribute `#[record(…)]` on a field changes that:
//! - `name = "…"`: the column has another name;
//! - `flatten`: the field is itself a record, with columns of its own; `prefix = "…"` is put before their names;
//! - `bytes`: an array of bytes, which must have its length in the database too;
//! - `text`: stored as the text of `Display` and read by `FromStr`;
//! - `skip`: no column. It is the default value when it is read.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitStr, Type, parse_macro_input};

/// How a field is stored.
enum Storage {
    Value,
    Flatten,
    Bytes,
    Text,
    Skip,
}

struct Field {
    ident: Ident,
    ty: Type,
    name: String,
    prefix: Option<String>,
    storage: Storage,
}

/// Derives the columns of a struct, and how they are written.
#[proc_macro_derive(Record, attributes(record))]
pub fn derive_record(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    record(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Derives how a struct is read from the columns of a row.
#[proc_macro_derive(FromRow, attributes(record))]
pub fn derive_from_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    from_row(&input).unwrap_or_else(Error::into_compile_error).into()
}

fn record(input: &DeriveInput) -> syn::Result<Tokens> {
    let fields = fields(input)?;
    let name = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    let module = quote!(::ledgerbell_core::primitives::record);
    let columns = fields.iter().map(
        |Field {
             ty,
             name,
             prefix,
             storage,
             ..
         }| match storage {
            Storage::Value => quote!(add(#name.into(), #module::Kind::of::<#ty>());),
            Storage::Bytes => quote!(add(#name.into(), #module::Kind::Bytes);),
            Storage::Text => quote!(add(#name.into(), #module::Kind::Text);),
            Storage::Skip => quote!(),
            Storage::Flatten => match prefix {
                None => quote!(<#ty as #module::Record>::columns(add);),
                Some(prefix) => quote! {
                    <#ty as #module::Record>::columns(&mut |name, kind| add(format!("{}{name}", #prefix).into(), kind));
                },
            },
        },
    );
    let values = fields.iter().map(|Field { ident, storage, .. }| match storage {
        Storage::Value => quote!(add(::std::clone::Clone::clone(&self.#ident).into());),
        Storage::Bytes => quote!(add(self.#ident.to_vec().into());),
        Storage::Text => quote!(add(::std::string::ToString::to_string(&self.#ident).into());),
        Storage::Skip => quote!(),
        Storage::Flatten => quote!(#module::Record::write(&self.#ident, add);),
    });
    Ok(quote! {
        #[automatically_derived]
        impl #generics #module::Record for #name #arguments #conditions {
            fn columns(add: &mut dyn FnMut(::std::borrow::Cow<'static, str>, #module::Kind)) {
                #(#columns)*
            }

            fn write(&self, add: &mut dyn FnMut(#module::Value)) {
                #(#values)*
            }
        }
    })
}

fn from_row(input: &DeriveInput) -> syn::Result<Tokens> {
    let fields = fields(input)?;
    let name = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    let module = quote!(::ledgerbell_core::primitives::record);
    let read = fields.iter().map(|Field { ident, storage, .. }| {
        let value = match storage {
            Storage::Value => quote!(fields.next()?),
            Storage::Bytes => quote!(fields.bytes()?),
            Storage::Text => quote!(fields.text()?),
            Storage::Skip => quote!(::std::default::Default::default()),
            Storage::Flatten => quote!(#module::FromRow::read(fields)?),
        };
        quote!(#ident: #value,)
    });
    Ok(quote! {
        #[automatically_derived]
        impl #generics #module::FromRow for #name #arguments #conditions {
            fn read(fields: &mut #module::Fields<'_>) -> ::std::result::Result<Self, #module::TryGetError> {
                Ok(Self { #(#read)* })
            }
        }
    })
}

fn fields(input: &DeriveInput) -> syn::Result<Vec<Field>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "only a struct is a record"));
    };
    let Fields::Named(named) = &data.fields else {
        return Err(Error::new_spanned(&input.ident, "the fields of a record have names"));
    };
    named.named.iter().map(field).collect()
}

fn field(field: &syn::Field) -> syn::Result<Field> {
    let ident = field
        .ident
        .clone()
        .ok_or_else(|| Error::new_spanned(field, "the fields of a record have names"))?;
    let (mut name, mut prefix, mut storage) = (ident.to_string(), None, Storage::Value);
    for attribute in field
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("record"))
    {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("prefix") {
                prefix = Some(meta.value()?.parse::<LitStr>()?.value());
            } else if meta.path.is_ident("flatten") {
                storage = Storage::Flatten;
            } else if meta.path.is_ident("bytes") {
                storage = Storage::Bytes;
            } else if meta.path.is_ident("text") {
                storage = Storage::Text;
            } else if meta.path.is_ident("skip") {
                storage = Storage::Skip;
            } else {
                return Err(meta.error("unknown attribute of a record's field"));
            }
            Ok(())
        })?;
    }
    Ok(Field {
        ident,
        ty: field.ty.clone(),
        name,
        prefix,
        storage,
    })
}
